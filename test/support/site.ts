// A site server for tests and benches: real storage in a folder, a real store, a socket on a free port; versions are stored as the output step does.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSite } from '../../functions/site/site.ts';
import type { Ref } from '../../shared/ports/objects.ts';
import type { Digest, Storage } from '../../shared/ports/storage.ts';
import type { Deployment } from '../../shared/objects/release.ts';
import { encodeManifest, manifestOf, type SiteFile } from '../../shared/site/manifest.ts';
import { createFsStorage } from '../../shared/storage/fs.ts';
import { openStore } from '../../shared/store/store.ts';

export type Files = Record<string, string | Uint8Array | { symlink: string }>;
type SiteOptions = NonNullable<Deployment['site']>;

export interface SiteServer {
  port: number;
  directory: string;
  storage: Storage;
  objects: ReturnType<typeof openStore>['objects'];
  errors: unknown[];
  /** Stores a version's files; gives the manifest's digest. */
  store(files: Files): Promise<Digest>;
  /** Makes the version current, and the one before the newest of the history. */
  point(host: string, version: string, manifest: Digest, site?: SiteOptions, namespace?: string): Promise<void>;
  close(): Promise<void>;
}

const NAMESPACE = 'default';
const DOMAIN = '.localhost';

/** `everywhere`: the sites of all namespaces, as in a cluster. */
export async function startSite({ everywhere = false } = {}): Promise<SiteServer> {
  const directory = mkdtempSync(join(tmpdir(), 'tidemill-site-'));
  const storage = createFsStorage({ directory });
  const store = openStore(':memory:');
  const { objects } = store;
  const errors: unknown[] = [];
  const note = (fields: object): void => void errors.push(fields);
  const site = createSite({ objects, storage, log: { info: () => {}, warn: note, error: note }, everywhere });
  const hostOf = (host = '') => (everywhere ? host.slice(0, -DOMAIN.length) : (host.split('.')[0] ?? ''));
  const server = createServer((req, res) => void site(req, res, hostOf(req.headers.host)));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));

  return {
    port: (server.address() as AddressInfo).port,
    directory,
    storage,
    objects,
    errors,
    store: (files) => storeFiles(storage, files),
    point: (host, version, manifest, options, namespace = NAMESPACE) => point(objects, { namespace, name: host }, { version, manifest }, options),
    close: async () => {
      site.close();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function storeFiles(storage: Storage, files: Files): Promise<Digest> {
  const stored = Object.entries(files).map(async ([path, content]): Promise<SiteFile> => {
    if (typeof content === 'object' && 'symlink' in content) return { path, symlink: content.symlink };
    return { path, ...(await storage.putBlob(Buffer.from(content))) };
  });
  return (await storage.putBlob(encodeManifest(manifestOf(await Promise.all(stored))))).digest;
}

async function point(
  objects: SiteServer['objects'],
  ref: Ref,
  { version, manifest }: { version: string; manifest: Digest },
  site?: SiteOptions,
): Promise<void> {
  const host = ref.name;
  const spec = { project: host.split('--').at(-1) ?? host, environment: 'production', host };
  const release = (await objects.get('Release', ref)) ?? (await objects.create<'Release'>({ kind: 'Release', metadata: ref, spec }));
  const before = release.status;
  const settings = site ?? before?.current?.site;
  const current = { artifact: `site-${host}`, version, manifest, at: new Date().toISOString(), trigger: 'user' as const, ...(settings && { site: settings }) };
  const history = [...(before?.current ? [before.current] : []), ...(before?.history ?? [])].slice(0, 100);
  await objects.updateStatus<'Release'>({
    ...release,
    status: { conditions: [], current, history },
  });
}
