// Objects between their form on the wire and ours: checked on the way out, and checked again on the way in, as anyone may have written them.
import { InvalidObject, type Kind, type NewObj, type Obj, kinds, parseSpec, parseStatus } from '../../objects/kinds.ts';
import { type Metadata, metadata } from '../../objects/meta.ts';
import type { Ref } from '../../ports/objects.ts';
import { checkKind } from './resources.ts';

/** An object as the API server gives it, as far as nobody may doubt it. */
export interface Raw {
  kind?: string;
  metadata: Ref & {
    uid: string;
    resourceVersion: string;
    generation?: number;
    creationTimestamp: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    /** Who wrote which fields: kept by the API server. */
    managedFields?: readonly { manager?: string }[];
  };
  spec?: unknown;
  status?: unknown;
}

const given = metadata.pick({ name: true, namespace: true, labels: true, annotations: true });

/** Throws InvalidObject, which names the fields. */
export function checkMetadata(kind: string, value: unknown): void {
  checkKind(kind);
  const checked = given.safeParse(value);
  if (checked.success) return;
  throw new InvalidObject(checked.error.issues.map((issue) => `${[`${kind}.metadata`, ...issue.path].join('.')}: ${issue.message}`).join('; '));
}

/** What a create sends, without the status, which is written apart. Throws InvalidObject. */
export function newBody(object: NewObj): Record<string, unknown> {
  checkMetadata(object.kind, object.metadata);
  const { name, namespace, labels, annotations, ownerReferences } = object.metadata;
  return {
    apiVersion: kinds[object.kind].apiVersion,
    kind: object.kind,
    metadata: { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }), ...(ownerReferences && { ownerReferences }) },
    spec: parseSpec(object.kind, object.spec),
  };
}

/** The version that the caller read. Throws InvalidObject where there is none. */
export function readVersion(object: Obj): string {
  const version = object.metadata.resourceVersion;
  if (typeof version !== 'string' || !/^\d+$/.test(version))
    throw new InvalidObject(`${object.kind}.metadata.resourceVersion: read the object first, and change what was read`);
  return version;
}

/** The object, checked: someone may have written it by hand. Throws InvalidObject, which names the object and the fields. */
export function toObject<K extends Kind>(kind: K, raw: Raw): Obj<K> {
  try {
    return build(kind, raw, parseSpec(kind, raw.spec), raw.status === undefined ? undefined : parseStatus(kind, raw.status));
  } catch (error) {
    if (!(error instanceof InvalidObject)) throw error;
    throw new InvalidObject(`${kind} ${raw.metadata.namespace}/${raw.metadata.name} as it stands in the cluster is not valid: ${error.message}`, {
      cause: error,
    });
  }
}

/** The answer to a write of ours: what we wrote was checked before. */
export function toWritten<K extends Kind>(kind: K, raw: Raw): Obj<K> {
  return build(kind, raw, raw.spec as Obj<K>['spec'], raw.status as Obj<K>['status']);
}

/** Written by functions alone, of one version of tidemill: of what people write, an older version may have let in what this one does not. */
const OF_FUNCTIONS: ReadonlySet<Kind> = new Set(['Execution', 'Lane', 'Push', 'TaskRun']);

/**
 * Whether every field of an object is as `manager` wrote it, who checks what it writes. Where anyone else wrote, or nobody knows who did, it is not; nor is
 * a TaskRun that has a status, which is the runner's.
 */
export function isAsWritten(kind: Kind, { metadata, status }: Raw, manager: string): boolean {
  const { managedFields = [] } = metadata;
  if (!OF_FUNCTIONS.has(kind) || managedFields.length === 0 || (kind === 'TaskRun' && status !== undefined)) return false;
  return managedFields.every((entry) => entry.manager === manager);
}

function build<K extends Kind>(kind: K, raw: Raw, spec: Obj<K>['spec'], status: Obj<K>['status']): Obj<K> {
  return { apiVersion: kinds[kind].apiVersion, kind, metadata: metadataOf(raw), spec, ...(status !== undefined && { status }) };
}

function metadataOf({ metadata: meta }: Raw): Metadata {
  const { name, namespace, uid, resourceVersion, generation = 0, creationTimestamp, labels, annotations } = meta;
  const made = { name, namespace, uid, resourceVersion, generation, creationTimestamp, ...(labels && { labels }), ...(annotations && { annotations }) };
  readLabels.set(made, sorted(labels));
  return made;
}

/** The labels that an object had when it was read, by the metadata handed out: so a write of status knows that it has no labels to write, without asking. */
const readLabels = new WeakMap<Metadata, string>();

/** Whether these may not be the labels that the object has in the cluster. Metadata that was put together elsewhere is not known here: it may. */
export function labelsMayDiffer(meta: Metadata): boolean {
  return readLabels.get(meta) !== sorted(meta.labels);
}

function sorted(labels: Record<string, string> | undefined): string {
  return JSON.stringify(Object.entries(labels ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
