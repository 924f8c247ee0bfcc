// Release: the pointer of one environment of one project: which version is live, and which were before.
import { z } from 'zod';
import { trigger } from '../events/types.ts';
import { digest, label, name, reason, text, timestamp } from './fields.ts';
import { conditions, outbox } from './meta.ts';
import { siteSpec } from './project.ts';

export const PRODUCTION = 'production';

export const releaseSpec = z.strictObject({
  project: name,
  /** "production", or "preview-<branch>". */
  environment: name,
  /** First label of the host name it is served on: <project>, or <branch>--<project>. */
  host: label,
  /** What somebody who writes this object wants live: a version, or "latest". Asked for once, when it is set or changed. */
  deploy: z.strictObject({ version: text(128) }).optional(),
});

const deployment = z.object({
  artifact: name,
  version: text(128),
  manifest: digest,
  /** How its files are served, as the project and the repository said when it was built. */
  site: siteSpec.optional(),
  /** Lane number of the execution that built it, and the lane that it counts in. */
  number: z.int().positive().optional(),
  lane: name.optional(),
  at: timestamp,
  trigger,
  by: text(128).optional(),
  /** Set on the entry that a rollback made. */
  rollback: z.boolean().optional(),
});

export const releaseStatus = z.object({
  outbox,
  conditions,
  /** What is live; absent when the environment was retired or has had nothing yet. */
  current: deployment.optional(),
  /** What was live before, newest first, at most 100. */
  history: z.array(deployment).max(100),
  /** Its branch was deleted when its lane had come to this number. */
  retired: z.object({ lane: name, number: z.int().positive() }).optional(),
  /** Why the last request was refused. */
  refused: z.object({ reason, at: timestamp }).optional(),
});

export type Deployment = z.infer<typeof deployment>;
