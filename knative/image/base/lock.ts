// base.lock.json: which packages the base is made of, by version and sum, and which of their files it holds.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Platform } from './wanted.ts';

const packageSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  /** Below the mirror: of the archive `debian` or `debian-security`. */
  path: z.string().regex(/^debian(-security)?\/pool\/[^?#]+\.deb$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().positive(),
  files: z.array(z.string()).min(1),
});

const lockSchema = z.strictObject({
  suite: z.string(),
  platforms: z.partialRecord(z.enum(['linux/amd64', 'linux/arm64'] satisfies Platform[]), z.array(packageSchema).min(1).max(200)),
});

export type LockedPackage = z.infer<typeof packageSchema>;
export type Lock = z.infer<typeof lockSchema>;

export const LOCK_FILE = join(import.meta.dirname, '..', 'base.lock.json');

export function readLock(): Lock {
  return lockSchema.parse(JSON.parse(readFileSync(LOCK_FILE, 'utf8')));
}

export function lockedPackages(platform: Platform, lock = readLock()): LockedPackage[] {
  const packages = lock.platforms[platform];
  if (!packages) throw new Error(`base.lock.json has no packages for ${platform}: npm run image -- --update-base --platform ${platform}`);
  return packages;
}
