// Which files the checks look at: what git tracks, and what it would track if it were added.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** Paths relative to the root, with forward slashes, sorted. Files that were deleted but not yet committed are left out. */
export function projectFiles(root = ROOT): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
  const files = new Set(listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file))));
  return [...files].toSorted();
}

export const isCode = (file: string) => /\.(ts|mts|mjs|js|cjs)$/.test(file);
export const isTest = (file: string) => file.endsWith('.test.ts');
