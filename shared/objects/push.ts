// Push: what a teller said of a ref, and what came of it, or why nothing did.
import { z } from 'zod';
import { digest, gitRef, gitSha, name, namespace, reason, text, timestamp, url } from './fields.ts';
import { outbox } from './meta.ts';

export const pushSpec = z.strictObject({
  kind: z.enum(['branch', 'tag', 'branch-deleted', 'pull-request']),
  repository: url,
  repositoryId: text(64).optional(),
  ref: gitRef,
  before: gitSha.optional(),
  after: gitSha.optional(),
  pullRequest: z.int().positive().optional(),
  by: text(128).optional(),
});

export const pushStatus = z.object({
  outbox,
  /** When the server says that it was pushed; a poll cannot know, and a webhook that comes later fills it in. */
  pushedAt: timestamp.optional(),
  /** Everyone who told of this push: event ids with their teller. The first made it. */
  told: z.array(z.object({ event: text(256), teller: z.enum(['webhook', 'poll']), at: timestamp, body: digest.optional() })).max(32),
  /** One for each project that it concerns. */
  results: z.array(z.object({ namespace, project: name, execution: name.optional(), skipped: reason.optional() })).max(1000),
  /** Why it concerned no project at all. */
  skipped: reason.optional(),
});
