// Writes an image as a tar in OCI's layout, which containerd, podman, skopeo and Docker load; Docker's older ones by its manifest.json.
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pid } from 'node:process';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { blobsOf, descriptor, type Image } from './image.ts';
import { nameOf, type Reference } from './reference.ts';

/** The file appears when it is whole. */
export async function writeArchive(image: Image, name: Reference, path: string): Promise<void> {
  const tar = pack();
  const part = `${path}.${pid}.part`;
  const written = pipeline(tar, createWriteStream(part));
  const add = (file: string, body: Buffer | string) => void tar.entry({ name: file, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 }, Buffer.from(body));
  add('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  add('index.json', JSON.stringify(layoutIndex(image, name)));
  add('manifest.json', JSON.stringify(dockerManifest(image, name)));
  for (const { digest, body } of blobsOf(image)) add(blobPath(digest), body);
  tar.finalize();
  try {
    await written;
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw new Error(`The image could not be written to ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

const blobPath = (digest: string) => `blobs/${digest.replace(':', '/')}`;

function layoutIndex({ top }: Image, name: Reference) {
  const annotations = { 'io.containerd.image.name': nameOf(name), 'org.opencontainers.image.ref.name': name.tag };
  return { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [{ ...descriptor(top), annotations }] };
}

function dockerManifest({ platforms }: Image, name: Reference) {
  const [first] = platforms;
  if (!first || platforms.length > 1) return [];
  return [{ Config: blobPath(first.config.digest), RepoTags: [nameOf(name)], Layers: first.layers.map(({ digest }) => blobPath(digest)) }];
}
