// What all objects have in common, in Kubernetes' form: metadata, conditions, and the outbox that functions publish from.
import { z } from 'zod';
import { name, namespace, reason, text, timestamp } from './fields.ts';
import { object } from './lazily.ts';

export const API_VERSION = 'tidemill.dev/v1alpha1';

export const metadata = object(() => ({
  name,
  namespace,
  uid: text(64),
  /** Changes with every write; compared for equality only. */
  resourceVersion: text(64),
  /** Counts the changes of spec. */
  generation: z.int().nonnegative(),
  creationTimestamp: timestamp,
  labels: z.record(z.string().max(316), z.string().max(63)).optional(),
  annotations: z.record(z.string().max(316), z.string().max(4096)).optional(),
}));
export type Metadata = z.infer<typeof metadata>;

/** Kubernetes' condition (metav1.Condition). Each kind says when its conditions are present and which way is good. */
export const condition = object(() => ({
  type: text(64).describe('What it is about, such as Ready.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it is so. Unknown: that is not decided yet.'),
  observedGeneration: z
    .int()
    .nonnegative()
    .optional()
    .describe('metadata.generation that it was found out of. Older than the present one: spec was changed since.'),
  reason: text(128).describe('One CamelCase word for programs.'),
  message: reason.optional().describe('A sentence for people: what is wrong, and what to do.'),
  lastTransitionTime: timestamp.describe('When its status came to be what it is.'),
}));
export type Condition = z.infer<typeof condition>;

export const conditions = z
  .array(condition)
  .max(16)
  .refine((all) => new Set(all.map(({ type }) => type)).size === all.length, 'condition types must be unique')
  .optional();

/** Of the condition that every kind which people write can have. */
export const VALID = 'Valid: present, and False, only while spec is not as its kind has it; its message says what is wrong.';

/** At most so many causes are remembered in one object; older ones are known to be long done. */
export const MAX_OUTBOX = 32;

/**
 * What an event that was handled came to, written with the status itself: `events` (JSON, in order) until they are published.
 * A cause that stands here is never decided again. Used where state and broker share no transaction.
 */
export const outbox = z
  .array(
    object(() => ({
      cause: text(64).describe('Hash of source and id of the event that was handled.'),
      at: timestamp.describe('When it was handled.'),
      events: z.array(z.string().max(262_144)).max(1000).optional().describe('Events that follow from it, as JSON, until they are published.'),
    })),
  )
  .max(MAX_OUTBOX)
  .optional()
  .describe('Bookkeeping of tidemill: which events were handled already, and what is yet to be published for them. Nothing to read or to write by hand.');
export type Outbox = NonNullable<z.infer<typeof outbox>>;

/** Labels that objects are found by. Values are at most 63 characters: hashes where the thing itself is longer. */
export const LABEL = {
  project: 'tidemill.dev/project',
  execution: 'tidemill.dev/execution',
  /** Name of the git Artifact that an execution runs at: several may run at one commit. */
  source: 'tidemill.dev/source',
  stage: 'tidemill.dev/stage',
  step: 'tidemill.dev/step',
  lane: 'tidemill.dev/lane',
  environment: 'tidemill.dev/environment',
  version: 'tidemill.dev/version',
  /** Hash of the repository's canonical address. */
  repository: 'tidemill.dev/repository',
  /** Hash of repository and ref. */
  ref: 'tidemill.dev/ref',
  /** Host name that a release is served on. */
  host: 'tidemill.dev/host',
  /** "true" until the object is finished: what a restart or the heal tick has to look at. */
  active: 'tidemill.dev/active',
} as const;
