// What the step `output` would leave: a site in the storage, and the results of its TaskRun.
import { encodeManifest, manifestOf } from '../../shared/site/manifest.ts';
import { archiveOf } from '../../shared/site/archive.ts';
import type { Storage } from '../../shared/ports/storage.ts';

export async function leaveSite(storage: Storage, files: Record<string, string>, packageVersion = '1.0.0'): Promise<Record<string, string>> {
  const stored = await Promise.all(
    Object.entries(files).map(async ([path, content]) => {
      const { digest, size } = await storage.putBlob(Buffer.from(content));
      return { path, digest, size };
    }),
  );
  const manifest = manifestOf(stored);
  const site = await storage.putBlob(encodeManifest(manifest));
  const archive = await storage.putBlob(archiveOf(manifest, storage));
  const size = stored.reduce((sum, file) => sum + file.size, 0);
  return { manifest: site.digest, archive: archive.digest, files: String(stored.length), size: String(size), packageVersion };
}

export async function readKey(storage: Storage, key: string): Promise<string | undefined> {
  const stored = await storage.get(key);
  if (!stored) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of stored.body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
