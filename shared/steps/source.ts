// The step `source`: the files of one commit into the workspace `source`.
import { mkdir, readdir } from 'node:fs/promises';
import { z } from 'zod';
import { gitSha, name, url } from '../objects/fields.ts';
import type { Git } from '../ports/git.ts';
import type { Builtin } from '../runner/builtin.ts';
import { parseInput, sourceFolder } from './input.ts';

export const sourceInput = z.strictObject({
  url,
  /** A full SHA: what is built is never looked up again by name. */
  sha: gitSha,
  /** Name of a Credential. */
  credential: name.optional(),
  submodules: z.boolean().optional(),
});

export type SourceInput = z.infer<typeof sourceInput>;

export function sourceStep(git: Git): Builtin {
  return async (context) => {
    const { sha, ...repository } = parseInput('source', sourceInput, context);
    const folder = sourceFolder('source', context);
    await mkdir(folder, { recursive: true });
    const found = await readdir(folder);
    if (found.length > 0)
      throw new Error(`The workspace "source" is not empty (it holds ${found.slice(0, 3).join(', ')}); a commit's files are put into an empty one only`);
    const began = performance.now();
    await git.checkout(repository, sha, folder, context.signal);
    context.log(`${sha.slice(0, 12)} of ${repository.url} checked out in ${Math.round(performance.now() - began)} ms`);
    return 0;
  };
}
