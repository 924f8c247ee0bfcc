// What a built version is called (design: Storage layout).
import { isTag, shortRef } from './names.ts';

/** The name of the folder that holds the archives, and so of no version, in any case: some file systems do not tell them apart. */
const RESERVED = 'archive';

/**
 * The pushed tag; else `<package version>-<commit time, UTC, YYYYMMDDHHMMSS>-<short SHA>`.
 * What is not [A-Za-z0-9._+-] becomes "-"; at most 120 characters.
 */
export function versionName(source: { ref?: string | undefined; sha: string; commitTime: string }, packageVersion: string | undefined): string {
  if (source.ref && isTag(source.ref)) return safe(shortRef(source.ref));
  const time = new Date(source.commitTime).toISOString().replace(/\D/g, '').slice(0, 14);
  return safe(`${packageVersion || '0.0.0'}-${time}-${source.sha.slice(0, 7)}`);
}

/** The nth name (from 0) for content that differs from what the name already stands for: v, v.2, v.3 … */
export function nthVersion(version: string, n: number): string {
  return n === 0 ? version : `${version}.${n + 1}`;
}

function safe(version: string): string {
  const kept = version.replace(/[^A-Za-z0-9._+-]/g, '-').slice(0, 120);
  return kept.toLowerCase() === RESERVED || /^\.+$/.test(kept) ? `v-${kept.replace(/\./g, '-')}` : kept;
}
