// Push: what a teller said of a ref, and what came of it, or why nothing did.
import { z } from 'zod';
import { digest, gitRef, gitSha, name, namespace, reason, text, timestamp, url } from './fields.ts';
import { object, strictObject } from './lazily.ts';
import { outbox } from './meta.ts';

export const pushSpec = strictObject(() => ({
  kind: z
    .enum(['branch', 'tag', 'branch-deleted', 'pull-request'])
    .describe('What happened: a branch or tag was made or moved, a branch was deleted, or a pull request changed.'),
  repository: url.describe('URL or path of the repository, as whoever told of it spells it.'),
  repositoryId: text(64).optional().describe("The git server's own id of the repository, which survives a rename."),
  ref: gitRef.describe('Full name of the ref, such as refs/heads/main.'),
  before: gitSha.optional().describe('Commit that the ref was at; all zeros when it is new.'),
  after: gitSha.optional().describe('Commit that it came to be at. Absent when it was deleted.'),
  pullRequest: z.int().positive().optional().describe('Number of the pull request.'),
  by: text(128).optional().describe('Login of whoever pushed, where that is known.'),
})).describe('What was told. It cannot change.');

export const pushStatus = object(() => ({
  outbox,
  pushedAt: timestamp
    .optional()
    .describe('When it was pushed, as the git server says. A look at the repository cannot know; a webhook that comes later fills it in.'),
  told: z
    .array(
      z.object({
        event: text(256).describe('Id of the event that told of it.'),
        teller: z.enum(['webhook', 'poll']).describe('webhook: the git server told. poll: it was seen in the repository.'),
        at: timestamp.describe('When it was told.'),
        body: digest.optional().describe('Digest of the raw body in Storage, where there was one.'),
      }),
    )
    .max(32)
    .describe('Everyone who told of this push. The first made it.'),
  results: z
    .array(
      z.object({
        namespace: namespace.describe('Namespace of the project.'),
        project: name.describe('Name of the project.'),
        execution: name.optional().describe('Name of the Execution that was opened for it.'),
        skipped: reason.optional().describe('Why none was opened.'),
      }),
    )
    .max(1000)
    .describe('What came of it in each project that it concerns.'),
  skipped: reason.optional().describe('Why it concerns no project at all.'),
})).describe('What came of it, or why nothing did.');
