// Every kind of object, with the schema of its spec and status: the types, the checks and later the CRDs come from here.
import type { z } from 'zod';
import { artifactSpec, artifactStatus } from './artifact.ts';
import { executionSpec, executionStatus } from './execution.ts';
import { credentialSpec, credentialStatus, hookSpec, hookStatus } from './hook.ts';
import { laneSpec, laneStatus } from './lane.ts';
import { API_VERSION, type Metadata } from './meta.ts';
import { pipelineSpec, pipelineStatus } from './pipeline.ts';
import { projectSpec, projectStatus } from './project.ts';
import { pushSpec, pushStatus } from './push.ts';
import { releaseSpec, releaseStatus } from './release.ts';
import { TEKTON_API_VERSION, taskRunSpec, taskRunStatus } from './taskrun.ts';

export const kinds = {
  Project: { apiVersion: API_VERSION, spec: projectSpec, status: projectStatus },
  Pipeline: { apiVersion: API_VERSION, spec: pipelineSpec, status: pipelineStatus },
  Push: { apiVersion: API_VERSION, spec: pushSpec, status: pushStatus },
  Execution: { apiVersion: API_VERSION, spec: executionSpec, status: executionStatus },
  Lane: { apiVersion: API_VERSION, spec: laneSpec, status: laneStatus },
  Artifact: { apiVersion: API_VERSION, spec: artifactSpec, status: artifactStatus },
  Release: { apiVersion: API_VERSION, spec: releaseSpec, status: releaseStatus },
  Hook: { apiVersion: API_VERSION, spec: hookSpec, status: hookStatus },
  Credential: { apiVersion: API_VERSION, spec: credentialSpec, status: credentialStatus },
  TaskRun: { apiVersion: TEKTON_API_VERSION, spec: taskRunSpec, status: taskRunStatus },
} as const;

export type Kind = keyof typeof kinds;

/** Objects that record what happened, and that nobody is to act on: they are made with their status, and have no status subresource. */
export function isRecord(kind: string): boolean {
  return kind === 'Push';
}

export type SpecOf<K extends Kind> = z.infer<(typeof kinds)[K]['spec']>;
export type StatusOf<K extends Kind> = z.infer<(typeof kinds)[K]['status']>;

/** An object as it is stored. */
export interface Obj<K extends Kind = Kind> {
  apiVersion: string;
  kind: K;
  metadata: Metadata;
  spec: SpecOf<K>;
  status?: StatusOf<K>;
}

/** Kubernetes' metav1.OwnerReference: what goes with its owner. On one machine nothing does, and it is left out. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

/** An object that is yet to be stored: uid, version, generation and time are the store's to give. */
export interface NewObj<K extends Kind = Kind> {
  kind: K;
  metadata: { name: string; namespace: string; labels?: Record<string, string>; annotations?: Record<string, string>; ownerReferences?: OwnerReference[] };
  spec: SpecOf<K>;
  status?: StatusOf<K>;
}

/** An object that does not fit its schema; the message names the fields. */
export class InvalidObject extends Error {
  override name = 'InvalidObject';
}

/** The spec, checked against the schema of its kind. Throws InvalidObject. */
export function parseSpec<K extends Kind>(kind: K, spec: unknown): SpecOf<K> {
  return parse(kinds[kind].spec, spec, `${kind}.spec`) as SpecOf<K>;
}

/** The status, checked against the schema of its kind. Throws InvalidObject. */
export function parseStatus<K extends Kind>(kind: K, status: unknown): StatusOf<K> {
  return parse(kinds[kind].status, status, `${kind}.status`) as StatusOf<K>;
}

function parse(schema: z.ZodType, value: unknown, where: string): unknown {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const issues = checked.error.issues.slice(0, 10).map((issue) => `${[where, ...issue.path].join('.')}: ${issue.message}`);
  throw new InvalidObject(issues.join('; '));
}
