// Reads of an ELF file what it wants loaded with it, and cuts off what nothing loads. 64 bit, little endian: all that we run on.

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const PROGRAM_HEADER = 56;

interface Segment {
  type: number;
  offset: number;
  address: bigint;
  size: number;
}

export const isElf = (body: Buffer): boolean => body.length > 64 && body.readUInt32BE(0) === 0x7f454c46 && body[4] === 2 && body[5] === 1;

function segments(body: Buffer): Segment[] {
  const start = Number(body.readBigUInt64LE(32));
  return Array.from({ length: body.readUInt16LE(56) }, (_, i) => {
    const at = start + i * PROGRAM_HEADER;
    const number = (field: number) => Number(body.readBigUInt64LE(at + field));
    return { type: body.readUInt32LE(at), offset: number(8), address: body.readBigUInt64LE(at + 16), size: number(32) };
  });
}

/** Names of the libraries that the loader looks for, and the path of the loader where the file names one. */
export function needs(body: Buffer): { libraries: string[]; loader?: string } {
  const all = segments(body);
  const text = (from: number) => body.toString('latin1', from, body.indexOf(0, from));
  const interp = all.find((segment) => segment.type === PT_INTERP);
  const dynamic = all.find((segment) => segment.type === PT_DYNAMIC);
  const tags: [bigint, bigint][] = [];
  for (let at = dynamic?.offset ?? 0; dynamic && at < dynamic.offset + dynamic.size; at += 16)
    tags.push([body.readBigInt64LE(at), body.readBigUInt64LE(at + 8)]);
  const strings = tags.find(([tag]) => tag === DT_STRTAB)?.[1] ?? 0n;
  const segment = all.find((s) => s.type === PT_LOAD && s.address <= strings && strings < s.address + BigInt(s.size));
  const base = segment ? Number(strings - segment.address) + segment.offset : 0;
  const libraries = tags.filter(([tag]) => tag === DT_NEEDED).map(([, value]) => text(base + Number(value)));
  return { libraries, ...(interp && { loader: text(interp.offset) }) };
}

/** Without the symbols and the debug information that stand behind the last segment. What runs is not touched. */
export function stripped(body: Buffer): Buffer {
  const end = Math.max(...segments(body).map((segment) => segment.offset + segment.size));
  const short = Buffer.from(body.subarray(0, end));
  short.writeBigUInt64LE(0n, 40); // where the section headers stood
  short.writeUInt16LE(0, 60); // how many
  short.writeUInt16LE(0, 62); // which of them held their names
  return short;
}
