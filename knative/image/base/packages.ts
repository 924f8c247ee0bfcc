// Gets the packages that base.lock.json names: from the cache, else from Debian's mirror, each checked by its sum.
import { env } from 'node:process';
import type { Cache } from '../cache.ts';
import type { LockedPackage } from './lock.ts';

const TIMEOUT_MS = 120_000;
const ATTEMPTS = 3;
const MAX_AT_ONCE = 6;

/** Sums are checked, so it need not be https. `{archive}` stands for debian and debian-security. */
const MIRROR = 'http://deb.debian.org/{archive}';

/** Bodies in the order of the packages. */
export async function fetchPackages(packages: readonly LockedPackage[], cache: Cache): Promise<Buffer[]> {
  const bodies: Buffer[] = [];
  let next = 0;
  const work = async () => {
    for (let i = next++; i < packages.length; i = next++) bodies[i] = await fetchPackage(packages[i]!, cache);
  };
  await Promise.all(Array.from({ length: MAX_AT_ONCE }, work));
  return bodies;
}

async function fetchPackage(wanted: LockedPackage, cache: Cache): Promise<Buffer> {
  const name = wanted.path.slice(wanted.path.lastIndexOf('/') + 1);
  return await cache.fetched(wanted.sha256, name, () => download(addressOf(wanted.path), wanted));
}

function addressOf(path: string): string {
  const [archive, ...rest] = path.split('/') as [string, ...string[]];
  const root = (env['TIDEMILL_DEBIAN_MIRROR'] || MIRROR).replaceAll('{archive}', archive).replace(/\/+$/, '');
  return `${root}/${rest.join('/').replaceAll('+', '%2b')}`;
}

async function download(url: string, wanted: LockedPackage, attempt = 1): Promise<Buffer> {
  const result = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).then(
    async (response) => ({ status: response.status, body: response.ok ? Buffer.from(await response.arrayBuffer()) : undefined, reason: '' }),
    (error: unknown) => ({ status: 0, body: undefined, reason: reasonOf(error) }),
  );
  if (result.body) return result.body;
  if (result.status === 404 || result.status === 410) throw new Error(gone(wanted, url));
  if (attempt < ATTEMPTS) return await download(url, wanted, attempt + 1);
  throw new Error(
    `${url} could not be fetched: ${result.reason || `HTTP ${result.status}`}. Set TIDEMILL_DEBIAN_MIRROR to a mirror that can be reached (default ${MIRROR})`,
  );
}

function gone(wanted: LockedPackage, url: string): string {
  return (
    `${wanted.name} ${wanted.version} is no longer at ${url}: Debian's mirrors keep only the newest of each package.\n` +
    `Either take what is newest now: npm run image -- --update-base (on Debian), and commit base.lock.json;\n` +
    `or build from an archive that keeps them all: TIDEMILL_DEBIAN_MIRROR=https://snapshot.debian.org/archive/{archive}/<time, as 20260101T000000Z>`
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
