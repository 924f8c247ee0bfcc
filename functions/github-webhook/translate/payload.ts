// The parts of GitHub's payloads that are read, each with its bounds. What else they hold is left out.
import { z } from 'zod';
import { gitRef, gitSha, text, timestamp, url } from '../../../shared/objects/fields.ts';

/** The last second that RFC 3339 can write. */
const LAST_SECOND = 253_402_300_799;

const cloneUrl = url.refine(isRepositoryAddress, 'must be an http(s) or file URL without user and password, or an absolute path');

const repository = z.object({
  id: z.int().positive(),
  clone_url: cloneUrl,
  pushed_at: z.union([z.int().nonnegative().max(LAST_SECOND), timestamp]).nullish(),
});

const account = z.object({ login: text(128) });

export const pushPayload = z.object({
  ref: gitRef,
  before: gitSha,
  after: gitSha,
  deleted: z.boolean().optional(),
  forced: z.boolean().optional(),
  /** Null for a deleted ref. */
  head_commit: z.object({ timestamp }).nullish(),
  repository,
  sender: account.optional(),
  pusher: z.object({ name: text(128) }).optional(),
});
export type PushPayload = z.infer<typeof pushPayload>;

const side = z.object({ ref: gitRef, sha: gitSha });

export const pullRequestPayload = z.object({
  action: text(64),
  number: z.int().positive(),
  pull_request: z.object({
    updated_at: timestamp,
    // GitHub gives null once the fork is deleted.
    head: side.extend({ repo: z.object({ id: z.int().positive() }).nullish() }),
    base: side,
    user: account.nullish(),
  }),
  repository,
  sender: account.optional(),
});
export type PullRequestPayload = z.infer<typeof pullRequestPayload>;

/** Paths are what a local repository that is told of by a webhook has. What may be fetched is the Git port's decision. */
function isRepositoryAddress(address: string): boolean {
  if (address.startsWith('/')) return true;
  if (!URL.canParse(address)) return false;
  const { protocol, username, password, host } = new URL(address);
  if (username || password) return false;
  return protocol === 'file:' || ((protocol === 'https:' || protocol === 'http:') && /^[A-Za-z0-9.:[\]-]+$/.test(host));
}
