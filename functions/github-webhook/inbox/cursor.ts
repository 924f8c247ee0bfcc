// Remembers durably up to where the inbox was handled: two slots written in turn, so that a torn write leaves the other.
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

export interface Position {
  segment: number;
  offset: number;
}

const SLOT_BYTES = 32;

export interface Cursor {
  /** As it was at open. Undefined: never written, or unreadable: then everything kept is handled again, which is harmless. */
  start: Position | undefined;
  save(position: Position): Promise<void>;
  close(): Promise<void>;
}

export async function openCursor(path: string): Promise<Cursor> {
  // "a" would ignore positions; r+ needs the file to be there.
  const file = await open(path, 'r+').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return open(path, 'w+', 0o600);
  });
  const newest = await readNewest(file);
  let sequence = newest?.sequence ?? 0;
  return {
    start: newest?.position,
    save: async (position) => {
      sequence += 1;
      await file.write(encode(sequence, position), 0, SLOT_BYTES, (sequence % 2) * SLOT_BYTES);
      await file.datasync();
    },
    close: () => file.close(),
  };
}

async function readNewest(file: FileHandle): Promise<{ sequence: number; position: Position } | undefined> {
  const buffer = Buffer.alloc(2 * SLOT_BYTES);
  await file.read(buffer, 0, buffer.length, 0);
  const slots = [decode(buffer.subarray(0, SLOT_BYTES)), decode(buffer.subarray(SLOT_BYTES))].filter((slot) => slot !== undefined);
  return slots.sort((a, b) => b.sequence - a.sequence)[0];
}

function encode(sequence: number, position: Position): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeDoubleLE(sequence, 0);
  slot.writeDoubleLE(position.segment, 8);
  slot.writeDoubleLE(position.offset, 16);
  slot.writeUInt32LE(crc32(slot.subarray(0, 24)), 24);
  return slot;
}

function decode(slot: Buffer): { sequence: number; position: Position } | undefined {
  const sequence = slot.readDoubleLE(0);
  if (!(sequence > 0) || slot.readUInt32LE(24) !== crc32(slot.subarray(0, 24))) return undefined;
  return { sequence, position: { segment: slot.readDoubleLE(8), offset: slot.readDoubleLE(16) } };
}
