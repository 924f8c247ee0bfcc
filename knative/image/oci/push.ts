// Pushes an image by the OCI distribution API: what the registry lacks of the blobs, then the manifests, then the name.
import type { Blob, Image } from './image.ts';
import { nameOf, type Reference } from './reference.ts';
import { openRegistry, type Registry } from './registry.ts';

const BLOB_TIMEOUT_MS = 600_000;
const AT_ONCE = 3;

export interface Pushed {
  /** `HOST/PATH@sha256:…`: what never changes. */
  reference: string;
  sent: number;
  bytes: number;
}

export async function pushImage(image: Image, name: Reference, options: { insecure: boolean; note: (text: string) => void }): Promise<Pushed> {
  const registry = openRegistry(name, options.insecure);
  const blobs = [...new Map(image.platforms.flatMap(({ layers, config }) => [...layers, config]).map((blob) => [blob.digest, blob])).values()];
  const pushed: Pushed = { reference: `${name.registry}/${name.repository}@${image.top.digest}`, sent: 0, bytes: 0 };
  let next = 0;
  const work = async () => {
    for (let i = next++; i < blobs.length; i = next++) {
      const blob = blobs[i]!;
      if (await has(registry, blob)) continue;
      options.note(`sending ${blob.digest.slice(0, 19)}, ${(blob.body.length / 1e6).toFixed(1)} MB`);
      await upload(registry, blob);
      pushed.sent += 1;
      pushed.bytes += blob.body.length;
    }
  };
  // The first alone, so that one sign-in serves them all.
  if (blobs[0]) await has(registry, blobs[0]);
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const { manifest } of image.platforms) if (manifest.digest !== image.top.digest) await putManifest(registry, manifest, manifest.digest);
  await putManifest(registry, image.top, name.tag);
  options.note(`pushed ${nameOf(name)}`);
  return pushed;
}

async function has(registry: Registry, { digest }: Blob): Promise<boolean> {
  const { status } = await registry.request('HEAD', `blobs/${digest}`, { accept: [200, 404] });
  return status === 200;
}

async function upload(registry: Registry, { digest, body }: Blob): Promise<void> {
  const opened = await registry.request('POST', 'blobs/uploads/', { accept: [202], body: Buffer.alloc(0) });
  const location = opened.headers.get('location');
  if (!location) throw new Error(`${registry.name} opened an upload and did not say where (no Location)`);
  const to = new URL(location, opened.url);
  to.searchParams.set('digest', digest);
  await registry.request('PUT', to, { accept: [201, 204], body, type: 'application/octet-stream', timeout_ms: BLOB_TIMEOUT_MS });
}

async function putManifest(registry: Registry, { body, mediaType, digest }: Blob, as: string): Promise<void> {
  const { headers } = await registry.request('PUT', `manifests/${as}`, { accept: [200, 201, 202], body, type: mediaType });
  const kept = headers.get('docker-content-digest');
  if (kept && kept !== digest) throw new Error(`${registry.name} keeps the manifest as ${kept}, which is not what was sent (${digest})`);
}
