// Layers → config and manifest of one platform → an index where there are several. Nothing in them depends on when or where they are made.
import { type Layer, sha256 } from '../layers/layer.ts';

export interface Blob {
  digest: string;
  mediaType: string;
  body: Buffer;
}

export interface PlatformImage {
  platform: string;
  manifest: Blob;
  config: Blob;
  layers: Blob[];
}

export interface Image {
  /** What a name of the image stands for: the manifest, or the index of several. */
  top: Blob;
  platforms: PlatformImage[];
}

const MEDIA = 'application/vnd.oci.image';
const CREATED = '1970-01-01T00:00:00Z';

export interface Description {
  version: string;
  user: number;
  env: Record<string, string>;
}

export function describeImage(platform: string, layers: readonly { what: string; layer: Layer }[], about: Description): PlatformImage {
  const [os, architecture] = platform.split('/');
  const config = json(`${MEDIA}.config.v1+json`, {
    created: CREATED,
    architecture,
    os,
    config: {
      User: `${about.user}:${about.user}`,
      Env: Object.entries(about.env).map(([name, value]) => `${name}=${value}`),
      Entrypoint: ['/usr/bin/node'],
      WorkingDir: '/',
      ExposedPorts: { '8080/tcp': {} },
      Labels: {
        'org.opencontainers.image.title': 'tidemill',
        'org.opencontainers.image.description': 'The functions of tidemill, one bundle each, with Node and git',
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.version': about.version,
      },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ layer }) => layer.diffId) },
    history: layers.map(({ what }) => ({ created: CREATED, created_by: what })),
  });
  const blobs = layers.map(({ layer }) => ({ digest: layer.digest, mediaType: `${MEDIA}.layer.v1.tar+gzip`, body: layer.body }));
  const manifest = json(`${MEDIA}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${MEDIA}.manifest.v1+json`,
    config: descriptor(config),
    layers: blobs.map(descriptor),
  });
  return { platform, manifest, config, layers: blobs };
}

export function imageOf(platforms: readonly PlatformImage[]): Image {
  const [only, second] = platforms;
  if (!only) throw new Error('An image is of at least one platform');
  if (!second) return { top: only.manifest, platforms: [only] };
  const manifests = platforms.map(({ platform, manifest }) => ({
    ...descriptor(manifest),
    platform: { os: platform.split('/')[0], architecture: platform.split('/')[1] },
  }));
  const mediaType = `${MEDIA}.index.v1+json`;
  return { top: json(mediaType, { schemaVersion: 2, mediaType, manifests }), platforms: [...platforms] };
}

export const descriptor = ({ mediaType, digest, body }: Blob) => ({ mediaType, digest, size: body.length });

/** Every blob once, what is referred to before what refers to it. */
export function blobsOf({ top, platforms }: Image): Blob[] {
  const all = [...platforms.flatMap(({ layers, config, manifest }) => [...layers, config, manifest]), top];
  return [...new Map(all.map((blob) => [blob.digest, blob])).values()];
}

function json(mediaType: string, value: unknown): Blob {
  const body = Buffer.from(JSON.stringify(value));
  return { mediaType, digest: sha256(body), body };
}
