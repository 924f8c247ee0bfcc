// Artifact: an immutable thing with a digest: a commit by SHA, a built site by the digest of its files.
import { z } from 'zod';
import { digest, gitRef, gitSha, name, reason, text, timestamp, url } from './fields.ts';
import { object, strictObject } from './lazily.ts';
import { conditions, outbox, VALID } from './meta.ts';
import { siteSpec } from './project.ts';

const project = name.describe('Name of the Project that it belongs to.');

export const artifactSpec = z
  .discriminatedUnion('type', [
    strictObject(() => ({
      type: z.literal('git').describe('git: a commit, which is found out from url and ref. site: a built site, which tidemill makes.'),
      project,
      execution: name.optional().describe('Execution that asked for it first. A git artifact without one is resolved, and nothing follows.'),
      url: url.describe('URL or path of the repository. Type git only.'),
      ref: gitRef.describe('Branch, tag or full SHA that is wanted. Type git only.'),
      credential: name.optional().describe('Name of the Credential that the repository is read with. Type git only.'),
    })),
    strictObject(() => ({
      type: z.literal('site'),
      project,
      execution: name,
      source: name.describe('Name of the git Artifact that it was built from. Type site only.'),
      taskRun: name.describe('Name of the TaskRun that built it. Type site only.'),
      manifest: digest.describe('Digest of the list of its files, which has the digest of each. Type site only.'),
      archive: digest.describe('Digest of the tar.gz of the same files. Type site only.'),
      files: z.int().nonnegative().describe('Number of its files. Type site only.'),
      size: z.int().nonnegative().describe('Bytes of all its files together. Type site only.'),
      site: siteSpec.optional().describe('How its files are served. Type site only.'),
    })),
  ])
  .describe('What is wanted, or what was built. It cannot change once the artifact is Resolved or Invalid.');

export const artifactStatus = object(() => ({
  outbox,
  phase: z
    .enum(['Unresolved', 'Resolved', 'Invalid', 'Failed'])
    .describe(
      'Unresolved: not looked at yet. Resolved: it is known what it is, for good. Failed: may be tried again. Invalid: there is no such thing, for good.',
    ),
  conditions: conditions.describe(`Resolved: present once it was looked at; True is good, and stays. ${VALID}`),
  reason: reason.optional().describe('Why it is not resolved, and what to do.'),
  digest: text(160)
    .optional()
    .describe('sha1:<SHA> or sha256:<SHA> of a commit, sha256:<digest> of the manifest of a site. It cannot change once the artifact is Resolved.'),
  git: z
    .object({
      sha: gitSha.describe('Full SHA of the commit.'),
      tree: gitSha.describe('Full SHA of its tree: two commits with the same tree hold the same files.'),
      ref: gitRef.optional().describe('Full name of the ref that the SHA was found by.'),
      commitTime: timestamp.describe("The committer's time."),
      subject: z.string().max(512).optional().describe('First line of the commit message.'),
      author: z.string().max(256).optional().describe('Who wrote the commit.'),
    })
    .optional()
    .describe('The commit, for type git. It cannot change once the artifact is Resolved.'),
  version: text(128).optional().describe('Version that its files stand under in Storage, <project>/<version>/, and that a deploy names.'),
  resolvedAt: timestamp.optional().describe('When it was resolved.'),
})).describe('What it was resolved to, or why it could not be.');
