// The bytes of git's objects: commits and trees, as `git cat-file --batch` gives them.
import type { Commit } from '../../ports/git.ts';

export interface TreeEntry {
  /** One character for each byte, so that names that are no UTF-8 stay apart; see nameText(). */
  name: string;
  kind: 'file' | 'executable' | 'symlink' | 'folder' | 'submodule';
  oid: string;
}

const KINDS: Record<string, TreeEntry['kind']> = { '40000': 'folder', '120000': 'symlink', '160000': 'submodule', '100755': 'executable' };

/** An entry's name as text; bytes that are no UTF-8 become U+FFFD. */
export function nameText(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

/** Entries of a tree object. Throws when it is cut off. */
export function parseTree(body: Buffer, oidBytes: number): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const end = body.indexOf(0, space);
    if (space < 0 || end < 0 || end + 1 + oidBytes > body.length) throw new Error('a tree object of the repository is damaged');
    const mode = body.toString('latin1', at, space).replace(/^0+/, '');
    entries.push({ name: body.toString('latin1', space + 1, end), kind: kindOf(mode), oid: body.toString('hex', end + 1, end + 1 + oidBytes) });
    at = end + 1 + oidBytes;
  }
  return entries;
}

/** Old repositories hold modes such as 100664: what counts is whether the owner may execute it. */
function kindOf(mode: string): TreeEntry['kind'] {
  const known = KINDS[mode];
  if (known) return known;
  return Number.parseInt(mode, 8) & 0o100 ? 'executable' : 'file';
}

/** What an annotated tag points at. */
export function parseTag(body: Buffer): string | undefined {
  return /^object ([0-9a-f]{40}(?:[0-9a-f]{24})?)\n/.exec(body.toString('latin1', 0, 100))?.[1];
}

const MAX_TIME = 253_402_300_799; // The last second of the year 9999, which RFC 3339 ends with.

/** The commit in a commit object, every text bounded and free of control characters. */
export function parseCommit(sha: string, body: Buffer): Commit {
  const end = body.indexOf('\n\n');
  const headers = decode(body.subarray(0, end < 0 ? body.length : end), undefined);
  const encoding = /^encoding (.+)$/m.exec(headers)?.[1];
  const head = encoding ? decode(body.subarray(0, end < 0 ? body.length : end), encoding) : headers;
  const message = end < 0 ? '' : decode(body.subarray(end + 2, end + 2 + 8192), encoding);
  const tree = /^tree ([0-9a-f]+)$/m.exec(head)?.[1];
  if (!tree) throw new Error(`commit ${sha} of the repository is damaged: it names no tree`);
  const seconds = Number(/^committer .*> (-?\d+)(?: [+-]\d+)?$/m.exec(head)?.[1] ?? 0);
  const subject = plain(message.trimStart().split('\n', 1)[0]!);
  return {
    sha,
    tree,
    commitTime: new Date(Math.min(Math.max(seconds, 0), MAX_TIME) * 1000).toISOString(),
    subject: cut(subject, 512),
    author: cut(plain(/^author (.*>) -?\d+/m.exec(head)?.[1] ?? /^author (.*)$/m.exec(head)?.[1] ?? ''), 256),
  };
}

function decode(bytes: Buffer, encoding: string | undefined): string {
  if (!encoding) return bytes.toString('utf8');
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    return bytes.toString('utf8'); // An encoding that nobody knows.
  }
}

function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').trim();
}

/** At most `max` UTF-16 units, no character cut in two. */
function cut(text: string, max: number): string {
  return text.slice(0, max).replace(/[\uD800-\uDBFF]$/, '');
}
