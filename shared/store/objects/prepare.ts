// Objects on their way into a row: checked against their schemas, and turned into text, before any transaction begins.
import { InvalidObject, type Kind, type NewObj, type Obj, kinds, parseSpec, parseStatus } from '../../objects/kinds.ts';
import { metadata } from '../../objects/meta.ts';

/** Characters of spec and status together; the API server of Kubernetes refuses objects of about this size too. */
const MAX_SIZE = 1_572_864;
const MAX_ENTRIES = 64;

const given = metadata.pick({ name: true, namespace: true, labels: true, annotations: true });

export interface Prepared {
  kind: Kind;
  namespace: string;
  name: string;
  /** Version that the caller read; 0 for a new one. */
  version: number;
  labels: Record<string, string>;
  /** JSON; null where there is nothing. */
  labelsText: string | null;
  annotationsText: string | null;
  specText: string;
  statusText: string | null;
}

/** Checks all of it. Throws InvalidObject. */
export function prepareNew(object: NewObj): Prepared {
  return prepare(object, 0, true, object.status !== undefined);
}

/** Checks metadata and spec; status is not written. Throws InvalidObject. */
export function prepareSpec(object: Obj): Prepared {
  return prepare(object, readVersion(object), true, false);
}

/** Checks metadata and status; spec is not written. Throws InvalidObject. */
export function prepareStatus(object: Obj): Prepared {
  return prepare(object, readVersion(object), false, true);
}

function prepare(object: NewObj | Obj, version: number, spec: boolean, status: boolean): Prepared {
  const { kind } = object;
  checkKind(kind);
  const meta = checkMetadata(kind, object.metadata);
  const prepared: Prepared = {
    kind,
    namespace: meta.namespace,
    name: meta.name,
    version,
    labels: meta.labels ?? {},
    labelsText: textOf(meta.labels),
    annotationsText: textOf(meta.annotations),
    specText: spec ? JSON.stringify(parseSpec(kind, object.spec)) : '',
    statusText: status ? JSON.stringify(parseStatus(kind, object.status)) : null,
  };
  const size = prepared.specText.length + (prepared.statusText?.length ?? 0);
  if (size > MAX_SIZE) throw new InvalidObject(`${kind} ${meta.namespace}/${meta.name} has ${size} characters; ${MAX_SIZE} are the most`);
  return prepared;
}

/** Throws InvalidObject where there is no such kind. */
export function checkKind(kind: string): asserts kind is Kind {
  if (!Object.hasOwn(kinds, kind)) throw new InvalidObject(`There is no kind "${kind}"`);
}

function checkMetadata(kind: Kind, value: unknown) {
  const checked = given.safeParse(value);
  if (!checked.success) {
    throw new InvalidObject(checked.error.issues.map((issue) => `${[`${kind}.metadata`, ...issue.path].join('.')}: ${issue.message}`).join('; '));
  }
  for (const map of ['labels', 'annotations'] as const) {
    const count = Object.keys(checked.data[map] ?? {}).length;
    if (count > MAX_ENTRIES) throw new InvalidObject(`${kind}.metadata.${map}: ${count} entries; ${MAX_ENTRIES} are the most`);
  }
  return checked.data;
}

function readVersion(object: Obj): number {
  const version = Number(object.metadata?.resourceVersion);
  if (!Number.isSafeInteger(version) || version < 1)
    throw new InvalidObject(`${object.kind}.metadata.resourceVersion: read the object first, and change what was read`);
  return version;
}

function textOf(map: Record<string, string> | undefined): string | null {
  return map && Object.keys(map).length > 0 ? JSON.stringify(map) : null;
}
