// Artifact: an immutable thing with a digest: a commit by SHA, a built site by the digest of its files.
import { z } from 'zod';
import { digest, gitRef, gitSha, name, reason, text, timestamp, url } from './fields.ts';
import { conditions, outbox } from './meta.ts';
import { siteSpec } from './project.ts';

export const artifactSpec = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('git'),
    project: name,
    /** Absent: nothing waits for it; somebody wants to know what the ref means. */
    execution: name.optional(),
    url,
    /** Branch, tag or SHA that is wanted. */
    ref: gitRef,
    credential: name.optional(),
  }),
  z.strictObject({
    type: z.literal('site'),
    project: name,
    execution: name,
    /** Name of the git Artifact that it was built from. */
    source: name,
    taskRun: name,
    /** Digest of the manifest in Storage: the list of its files with their digests. */
    manifest: digest,
    /** Digest of the reproducible tar.gz of the same files. */
    archive: digest,
    files: z.int().nonnegative(),
    /** Bytes, all files together. */
    size: z.int().nonnegative(),
    /** How its files are served. */
    site: siteSpec.optional(),
  }),
]);

export const artifactStatus = z.object({
  outbox,
  /** Failed may be tried again; Invalid never will be. */
  phase: z.enum(['Unresolved', 'Resolved', 'Invalid', 'Failed']),
  conditions,
  reason: reason.optional(),
  /** Cannot change once resolved: sha1:<sha> or sha256:<sha> of a commit, sha256:<digest> of a manifest. */
  digest: text(160).optional(),
  git: z
    .object({
      sha: gitSha,
      tree: gitSha,
      ref: gitRef.optional(),
      commitTime: timestamp,
      subject: z.string().max(512).optional(),
      author: z.string().max(256).optional(),
    })
    .optional(),
  /** Version that the files stand under in Storage: <project>/<version>/. */
  version: text(128).optional(),
  resolvedAt: timestamp.optional(),
});
