// One layer: entries → tar → gzip, byte for byte the same for the same entries.
// Deflate differs between versions of zlib, so it is always that of the Node which the project pins, in a process of its own; what came of it is kept.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { Cache } from '../cache.ts';
import { type Entry, withFolders } from './entry.ts';

export interface Layer {
  /** Of the tar: what the image's config names. */
  diffId: string;
  /** Of the gzip: what the manifest names. */
  digest: string;
  body: Buffer;
  /** Bytes of the tar. */
  unpacked: number;
}

export const sha256 = (body: Buffer | string): string => `sha256:${createHash('sha256').update(body).digest('hex')}`;

const EPOCH = new Date(0);
const GZIP_LEVEL = 9;
/** Reads stdin, writes gzip. The byte that names the operating system is set to "unknown". */
const GZIP = `const b=[];process.stdin.on('data',c=>b.push(c)).on('end',()=>{const z=require('node:zlib').gzipSync(Buffer.concat(b),{level:${GZIP_LEVEL}});z[9]=255;process.stdout.write(z)})`;

export interface Packer {
  /** Path of the Node that compresses. */
  node: string;
  /** Its version, which is part of what the cache knows a layer by. */
  version: string;
  cache: Cache;
}

export async function makeLayer(entries: readonly Entry[], packer: Packer): Promise<Layer> {
  const tar = await makeTar(withFolders(entries));
  const diffId = sha256(tar);
  const body = await packer.cache.derived(`layer-${diffId.slice(7, 39)}-${packer.version}-${GZIP_LEVEL}`, () => gzip(tar, packer.node));
  return { diffId, digest: sha256(body), body, unpacked: tar.length };
}

async function makeTar(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  const read = buffer(tar);
  for (const entry of entries) {
    const header = { mtime: EPOCH, uid: 0, gid: 0, uname: '', gname: '' };
    if (entry.type === 'file') tar.entry({ ...header, name: entry.path, mode: entry.mode, type: 'file', size: entry.body.length }, entry.body);
    else if (entry.type === 'symlink') tar.entry({ ...header, name: entry.path, mode: 0o777, type: 'symlink', linkname: entry.target });
    else tar.entry({ ...header, name: `${entry.path}/`, mode: entry.mode, type: 'directory' });
  }
  tar.finalize();
  return await read;
}

async function gzip(tar: Buffer, node: string): Promise<Buffer> {
  const child = spawn(node, ['-e', GZIP], { stdio: ['pipe', 'pipe', 'inherit'], env: {} });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  child.stdin.on('error', () => {}); // It ended before it had read all; its exit code says so.
  child.stdin.end(tar);
  const [body, code] = await Promise.all([buffer(child.stdout), ended]);
  if (code !== 0) throw new Error(`${node} could not compress a layer of ${tar.length} bytes: exit code ${code}`);
  return body;
}
