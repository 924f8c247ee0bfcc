// What all objects have in common, in Kubernetes' form: metadata, conditions, and the outbox that functions publish from.
import { z } from 'zod';
import { name, namespace, reason, text, timestamp } from './fields.ts';

export const API_VERSION = 'tidemill.dev/v1alpha1';

export const metadata = z.object({
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
});
export type Metadata = z.infer<typeof metadata>;

/** Kubernetes' condition (metav1.Condition). Each kind says when its conditions are present and which way is good. */
export const condition = z.object({
  type: text(64),
  status: z.enum(['True', 'False', 'Unknown']),
  /** One CamelCase word for programs. */
  reason: text(128),
  /** A sentence for people. */
  message: reason.optional(),
  lastTransitionTime: timestamp,
});
export type Condition = z.infer<typeof condition>;

export const conditions = z.array(condition).max(16).optional();

/** Labels that objects are found by. Values are at most 63 characters: hashes where the thing itself is longer. */
export const LABEL = {
  project: 'tidemill.dev/project',
  execution: 'tidemill.dev/execution',
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
