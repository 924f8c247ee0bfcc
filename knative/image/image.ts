// npm run image: makes the image that every function runs in, without a container engine; writes it to a file, pushes it, or both.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { argv, env, exit, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { LOCK_FILE, readLock } from './base/lock.ts';
import { lockPlatform } from './base/update.ts';
import { isPlatform, type Platform, SUITE } from './base/wanted.ts';
import { buildImage } from './build.ts';
import { openCache } from './cache.ts';
import { nodeBinary } from './node-binary.ts';
import { writeArchive } from './oci/archive.ts';
import { type Image, imageOf } from './oci/image.ts';
import { pushImage } from './oci/push.ts';
import { nameOf, parseReference } from './oci/reference.ts';
import { bundleProgram } from './program.ts';

const USAGE = `Examples:
  npm run image                                          writes tidemill-image.tar
  npm run image -- --out image.tar --tag ghcr.io/you/tidemill:1.0.0
  npm run image -- --push ghcr.io/you/tidemill:1.0.0     signed in as \`docker login\` left it
  npm run image -- --push localhost:5000/tidemill:dev    by plain HTTP: this machine and private addresses only
  npm run image -- --platform linux/amd64,linux/arm64 --push ghcr.io/you/tidemill:1.0.0

Options:
  --out <file>        an OCI archive, as containerd, podman, skopeo and Docker load it
  --tag <name>        what it is called in the archive (default: the name of --push, else tidemill:${manifest.version})
  --push <name>       send it to this registry; prints NAME@sha256:… on stdout
  --insecure          by plain HTTP, to any registry
  --platform <names>  linux/amd64, linux/arm64, or both with a comma between (default: linux/amd64)
  --update-base       take what is newest in Debian: writes knative/image/base.lock.json (on Debian, with apt)

The same sources give the same digest. Packages are kept in ~/.cache/tidemill/image; another mirror of Debian: TIDEMILL_DEBIAN_MIRROR.
`;

const OPTIONS = {
  out: { type: 'string' },
  tag: { type: 'string' },
  push: { type: 'string' },
  insecure: { type: 'boolean', default: false },
  platform: { type: 'string', default: 'linux/amd64' },
  'update-base': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const note = (text: string) => void stderr.write(`${text}\n`);
const mega = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

class UsageError extends Error {}

try {
  await main();
} catch (error) {
  const usage = error instanceof UsageError;
  note(`error  ${error instanceof Error ? (env['DEBUG'] ? error.stack : error.message) : String(error)}${usage ? '\n\nnpm run image -- --help' : ''}`);
  exit(usage ? 2 : 1);
}

async function main(): Promise<void> {
  const wanted = readWords();
  if (wanted.help) return void stdout.write(USAGE);
  const platforms = wanted.platform.split(',').map((name): Platform => {
    if (!isPlatform(name)) throw new UsageError(`--platform takes linux/amd64 and linux/arm64, not ${JSON.stringify(name)}`);
    return name;
  });
  if (wanted['update-base']) return await updateBase(platforms);
  const target = wanted.push === undefined ? undefined : named(wanted.push);
  const name = wanted.tag === undefined ? (target ?? named(`tidemill:${manifest.version}`)) : named(wanted.tag);
  const out = wanted.out ?? (target ? undefined : 'tidemill-image.tar');
  const image = await make(platforms);
  if (out !== undefined) {
    await writeArchive(image, name, resolve(env['INIT_CWD'] ?? '.', out));
    note(`wrote ${out}: ${nameOf(name)}`);
  }
  if (!target) return void stdout.write(`${image.top.digest}\n`);
  const pushed = await pushImage(image, target, { insecure: wanted.insecure, note });
  note(pushed.sent === 0 ? 'the registry had all of it' : `sent ${pushed.sent} parts, ${mega(pushed.bytes)}`);
  stdout.write(`${pushed.reference}\n`);
}

function readWords() {
  try {
    return parseArgs({ args: argv.slice(2), options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function named(text: string) {
  try {
    return parseReference(text);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function make(platforms: readonly Platform[]): Promise<Image> {
  const cache = openCache();
  const app = await bundleProgram();
  const built = [];
  for (const platform of platforms) {
    const one = await buildImage(platform, app, cache, note);
    for (const { what, layer } of one.parts) note(`  ${mega(layer.body.length).padStart(8)}  ${mega(layer.unpacked).padStart(8)} unpacked  ${what}`);
    built.push(one);
  }
  return imageOf(built);
}

async function updateBase(platforms: readonly Platform[]): Promise<void> {
  const cache = openCache();
  const lock = { ...readLock(), suite: SUITE };
  for (const platform of platforms) {
    lock.platforms[platform] = await lockPlatform(platform, (await nodeBinary(platform, cache)).body, note);
    note(`${platform}: ${lock.platforms[platform].length} packages`);
  }
  writeFileSync(LOCK_FILE, `${JSON.stringify(lock, null, 2)}\n`);
}
