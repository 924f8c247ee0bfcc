// What an install would change, object by object and field by field: asked of the API server, which changes nothing (dryRun=All).
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../../knative/generate/object.ts';
import { keyOf, type Live, type Resources, titleOf } from '../cluster/resources.ts';
import { each, type Survey } from './survey.ts';

export interface Change {
  what: 'create' | 'change' | 'delete' | 'same';
  object: string;
  /** Of a change: path, before and after, as short text. Values of Secrets are not among them. */
  fields?: { path: string; before: string; after: string }[];
}

const MAX_TEXT = 80;
/** Changes with every write, or by others. */
const NOISE = new Set(['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp']);

export async function changesOf(resources: Resources, wanted: readonly KubeObject[], { live, stale }: Survey): Promise<Change[]> {
  const changes = new Map<string, Change>();
  const namespaces = new Set<string>();
  await each(wanted, async (object) => {
    const before = live.get(keyOf(object));
    if (before) {
      const after = await resources.apply(object, { dryRun: true });
      const fields = differences(before, after, object.kind === 'Secret');
      changes.set(keyOf(object), { what: fields.length > 0 ? 'change' : 'same', object: titleOf(object), ...(fields.length > 0 && { fields }) });
      return;
    }
    // Where the namespace is yet to be made, or the kind to be defined, the server cannot be asked.
    const { namespace } = object.metadata;
    const canAsk =
      namespace === undefined ||
      namespaces.has(namespace) ||
      (await resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })) !== undefined;
    if (canAsk && namespace !== undefined) namespaces.add(namespace);
    if (canAsk) await resources.apply(object, { dryRun: true });
    changes.set(keyOf(object), { what: 'create', object: titleOf(object) });
  });
  return [...wanted.flatMap((object) => changes.get(keyOf(object)) ?? []), ...stale.map((object): Change => ({ what: 'delete', object: titleOf(object) }))];
}

/** Of two states of one object, without what its controllers say of it. */
export function differences(before: Live, after: Live, isSecret: boolean): NonNullable<Change['fields']> {
  const fields: NonNullable<Change['fields']> = [];
  const show = (value: unknown) => {
    if (value === undefined) return '(none)';
    if (isSecret) return '(secret)';
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  };
  const walk = (a: unknown, b: unknown, path: string): void => {
    if (isDeepStrictEqual(a, b)) return;
    if (isTree(a) && isTree(b)) for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) walk(a[key], b[key], path ? `${path}.${key}` : key);
    else if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) a.forEach((item, i) => walk(item, b[i], `${path}[${i}]`));
    else fields.push({ path, before: show(a), after: show(b) });
  };
  walk(quiet(before), quiet(after), '');
  return fields;
}

const isTree = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function quiet({ status: _status, metadata, ...rest }: Live): object {
  return { ...rest, metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !NOISE.has(key))) };
}
