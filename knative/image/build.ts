// Makes the image: Debian's files, Node, and the bundles, as three layers, so that what changes daily is the smallest.
import { execPath, versions } from 'node:process';
import manifest from '../../package.json' with { type: 'json' };
import { stripped } from './base/elf.ts';
import { lockedPackages } from './base/lock.ts';
import { baseEntries, USER } from './base/rootfs.ts';
import type { Platform } from './base/wanted.ts';
import type { Cache } from './cache.ts';
import { codeOf } from './code.ts';
import { type Entry, file } from './layers/entry.ts';
import { type Layer, makeLayer, type Packer } from './layers/layer.ts';
import { nodeBinary } from './node-binary.ts';
import { describeImage, type PlatformImage } from './oci/image.ts';

const ENV = {
  PATH: '/usr/bin',
  HOME: '/home/tidemill',
  NODE_ENV: 'production',
};

export interface Built extends PlatformImage {
  parts: { what: string; layer: Layer }[];
}

export async function buildImage(platform: Platform, app: readonly Entry[], cache: Cache, note: (text: string) => void): Promise<Built> {
  const node = await nodeBinary(platform, cache);
  const packer: Packer = { node: node.path ?? execPath, version: node.path ? node.version : versions.node, cache };
  note(`packing Debian's files, Node ${node.version} and ${app.length} files of our own`);
  const parts = [
    { what: 'Debian: git, OpenSSH, certificates, the C library', layer: await makeLayer(await baseEntries(lockedPackages(platform), cache), packer) },
    {
      what: `Node ${node.version}`,
      layer: await makeLayer([file('usr/bin/node', stripped(node.body), 0o755), file('usr/share/doc/node/copyright', node.license)], packer),
    },
    { what: `tidemill ${manifest.version}`, layer: await makeLayer([...app, ...(await codeFor(app, node.path))], packer) },
  ];
  return { ...describeImage(platform, parts, { version: manifest.version, user: USER, env: ENV }), parts };
}

/** None where the binary is of another platform, and does not run here: then its processes compile what they run. */
async function codeFor(app: readonly Entry[], node: string | undefined): Promise<Entry[]> {
  return node === undefined ? [] : codeOf(app, node);
}
