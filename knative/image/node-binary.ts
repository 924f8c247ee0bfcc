// The Node that goes into the image: the binary of the npm package which package-lock.json pins for the platform.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { type Platform, PLATFORMS } from './base/wanted.ts';
import { ROOT } from './bundle.ts';
import type { Cache } from './cache.ts';

export interface NodeBinary {
  version: string;
  body: Buffer;
  license: Buffer;
  /** Path of the file, where the package is installed here. */
  path: string | undefined;
}

/** From node_modules where npm put it for this machine, else by npm from the registry. */
export async function nodeBinary(platform: Platform, cache: Cache): Promise<NodeBinary> {
  const name = PLATFORMS[platform].node;
  const { version, integrity } = await pinned(name);
  const folder = join(ROOT, 'node_modules', name);
  if (existsSync(join(folder, 'bin/node'))) {
    const installed = (JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
    if (installed !== version) throw new Error(`node_modules has ${name} ${installed}, and package-lock.json wants ${version}: npm ci`);
    const path = join(folder, 'bin/node');
    return { version, path, body: await readFile(path), license: await readFile(join(folder, 'LICENSE')) };
  }
  const files = await unpack(await cache.derived(`${name}-${version}`, () => pack(name, version, integrity)));
  const body = files.get('package/bin/node');
  const license = files.get('package/LICENSE');
  if (!body || !license) throw new Error(`The package ${name}@${version} has no bin/node or no LICENSE`);
  return { version, body, license, path: undefined };
}

async function pinned(name: string): Promise<{ version: string; integrity: string }> {
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, { version?: string; integrity?: string }> };
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {};
  if (!version || !integrity) throw new Error(`package-lock.json does not pin ${name}`);
  return { version, integrity };
}

async function pack(name: string, version: string, integrity: string): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-node-'));
  try {
    await promisify(execFile)('npm', ['pack', '--silent', '--pack-destination', folder, `${name}@${version}`], { cwd: folder });
    const body = await readFile(join(folder, `${name}-${version}.tgz`));
    const [kind = '', sum] = integrity.split('-', 2);
    if (createHash(kind).update(body).digest('base64') !== sum) throw new Error(`${name}@${version} is not what package-lock.json pins (${integrity})`);
    return body;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function unpack(tgz: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const tar = extract();
  Readable.from([gunzipSync(tgz)]).pipe(tar);
  for await (const entry of tar) files.set(entry.header.name, await buffer(entry));
  return files;
}
