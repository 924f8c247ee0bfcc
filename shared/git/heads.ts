// What `git ls-remote --symref` says: which branches and tags there are, and which branch is the default one.
import type { Head } from '../ports/git.ts';

/** A tag's SHA is what the ref points at: of an annotated tag the tag object's, as a push event has it too. */
export function parseHeads(output: string): { defaultBranch?: string; heads: Head[] } {
  const heads: Head[] = [];
  let symbolic: string | undefined;
  let headSha: string | undefined;
  for (const line of output.split('\n')) {
    const [left, ref] = line.split('\t');
    if (!left || !ref || ref.endsWith('^{}')) continue;
    if (ref === 'HEAD') {
      const target = /^ref: refs\/heads\/(.+)$/.exec(left)?.[1];
      if (target) symbolic = target;
      else headSha = left;
    } else if (/^refs\/(?:heads|tags)\//.test(ref) && /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(left)) heads.push({ ref, sha: left });
  }
  const defaultBranch = symbolic ?? guessDefault(heads, headSha);
  return { heads, ...(defaultBranch && { defaultBranch }) };
}

/** An old server, or a HEAD that is detached, names no branch: main or master where they are at HEAD, else the first that is. */
function guessDefault(heads: readonly Head[], headSha: string | undefined): string | undefined {
  const there = heads.filter((head) => head.sha === headSha && head.ref.startsWith('refs/heads/')).map((head) => head.ref.slice('refs/heads/'.length));
  return ['main', 'master'].find((name) => there.includes(name)) ?? there[0];
}
