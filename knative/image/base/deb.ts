// Reads a Debian package: an ar archive that holds two tars, packed by xz. None of its scripts is run.
import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { type Entry, file, symlink } from '../layers/entry.ts';

export interface Deb {
  /** The package's description of itself, as dpkg keeps it. */
  control: string;
  /** Files and links by path, on a merged /usr: /bin, /lib and /lib64 are /usr/bin and so on. Folders are left out. */
  entries: Map<string, Entry>;
}

export async function readDeb(body: Buffer, name: string): Promise<Deb> {
  const members = readAr(body, name);
  const [control, data] = await Promise.all([readTar(member(members, 'control.tar', name)), readTar(member(members, 'data.tar', name))]);
  const described = control.get('control');
  if (described?.type !== 'file') throw new Error(`${name} does not describe itself: it is no Debian package`);
  return { control: described.body.toString('utf8'), entries: data };
}

function readAr(body: Buffer, name: string): Map<string, Buffer> {
  if (body.toString('latin1', 0, 8) !== '!<arch>\n') throw new Error(`${name} is no Debian package`);
  const members = new Map<string, Buffer>();
  for (let at = 8; at + 60 <= body.length;) {
    const size = Number(body.toString('latin1', at + 48, at + 58));
    members.set(body.toString('latin1', at, at + 16).replace(/\/?\s*$/, ''), body.subarray(at + 60, at + 60 + size));
    at += 60 + size + (size % 2);
  }
  return members;
}

async function member(members: Map<string, Buffer>, stem: string, name: string): Promise<Buffer> {
  for (const [key, body] of members) if (key === `${stem}.xz`) return await unxz(body);
  throw new Error(`${name} has no ${stem}.xz but ${[...members.keys()].join(', ')}: only packages that are packed by xz can be read`);
}

async function unxz(body: Buffer): Promise<Buffer> {
  const child = spawn('xz', ['--decompress', '--stdout'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`xz could not be started (${error.message}): install it (Debian: xz-utils, macOS: brew install xz)`)));
    child.on('close', resolve);
  });
  child.stdin.on('error', () => {}); // It ended before it had read all; its exit code says so.
  child.stdin.end(body);
  const [unpacked, code] = await Promise.all([buffer(child.stdout), ended]);
  if (code !== 0) throw new Error(`xz could not unpack a package: exit code ${code}`);
  return unpacked;
}

async function readTar(packed: Promise<Buffer>): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  const tar = extract();
  const filling = pipeline(Readable.from([await packed]), tar);
  for await (const entry of tar) {
    const { name, type, mode, linkname } = entry.header;
    const path = merged(name);
    const body = await buffer(entry);
    // Set-uid bits are nothing to a user who may not gain rights, and forbidden to ours.
    if (type === 'file') entries.set(path, file(path, body, (mode ?? 0o644) & 0o755));
    else if (type === 'symlink') entries.set(path, symlink(path, linkname ?? ''));
    else if (type === 'link') {
      const other = entries.get(merged(linkname ?? ''));
      if (other) entries.set(path, { ...other, path });
    }
  }
  await filling;
  return entries;
}

/** Debian's own packages still bring /lib and /bin, which are links to /usr/lib and /usr/bin in every system since Debian 12. */
function merged(name: string): string {
  return name
    .replace(/^(\.?\/)+/, '')
    .replace(/\/$/, '')
    .replace(/^(bin|sbin|lib|lib64|libx32|lib32)\//, 'usr/$1/');
}
