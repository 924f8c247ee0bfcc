// Release: the pointer of one environment of one project: which version is live, and which were before.
import { z } from 'zod';
import { trigger } from '../events/types.ts';
import { digest, label, name, reason, text, timestamp } from './fields.ts';
import { object, strictObject } from './lazily.ts';
import { conditions, outbox, VALID } from './meta.ts';
import { siteSpec } from './project.ts';

export const PRODUCTION = 'production';

export const releaseSpec = strictObject(() => ({
  project: name.describe('Name of the Project whose environment it is. It cannot change.'),
  environment: name.describe('"production", or "preview-<branch>". It cannot change.'),
  host: label.describe('First label of the host name that it is served on, and the name of this object: <project>, or <branch>--<project>. It cannot change.'),
  deploy: z
    .strictObject({ version: text(128).describe('Version to deploy, as an artifact has it in status.version; "latest": the newest that was built.') })
    .optional()
    .describe('What somebody wants live. It is asked for once, when this is set or changed: what goes live later does not change it.'),
})).describe('Which environment it is, and what somebody wants live in it.');

const deployment = object(() => ({
  artifact: name.describe('Name of the site Artifact.'),
  version: text(128).describe('Its version.'),
  manifest: digest.describe('Digest of the list of its files.'),
  site: siteSpec.optional().describe('How its files are served, as the project and the repository said when it was built.'),
  number: z.int().positive().optional().describe('Number of the execution that built it, in its lane.'),
  lane: name.optional().describe('Name of the Lane that the number counts in.'),
  at: timestamp.describe('When it went live.'),
  trigger: trigger.describe('What asked for it: a person, or a rule.'),
  by: text(128).optional().describe('Who asked for it, where that is known.'),
  rollback: z.boolean().optional().describe('Whether a rollback brought it.'),
}));

export const releaseStatus = object(() => ({
  outbox,
  conditions: conditions.describe(VALID),
  current: deployment.optional().describe('What is live. Absent when the environment was retired, or has had nothing yet.'),
  history: z.array(deployment).max(100).describe('What was live before, newest first.'),
  retired: z
    .object({
      lane: name.describe('Name of the lane of its branch.'),
      number: z.int().positive().describe('What was begun up to this number is no longer released by itself.'),
    })
    .optional()
    .describe('Set when the branch of a preview was deleted.'),
  refused: z
    .object({ reason: reason.describe('Why, and what to do.'), at: timestamp.describe('When it was refused.') })
    .optional()
    .describe('Why the last request was refused. Absent when it was granted.'),
})).describe('What is live, and what was.');

export type Deployment = z.infer<typeof deployment>;
