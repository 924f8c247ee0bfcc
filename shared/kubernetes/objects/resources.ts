// Where each kind stands in the API: its paths, and the label selectors of a query.
import { InvalidObject, type Kind, kinds } from '../../objects/kinds.ts';
import { name as nameSchema, namespace as namespaceSchema } from '../../objects/fields.ts';
import type { Ref } from '../../ports/objects.ts';

const PLURALS: Record<Kind, string> = {
  Project: 'projects',
  Pipeline: 'pipelines',
  Push: 'pushes',
  Execution: 'executions',
  Lane: 'lanes',
  Artifact: 'artifacts',
  Release: 'releases',
  Hook: 'hooks',
  Credential: 'credentials',
  TaskRun: 'taskruns',
};

/** Throws InvalidObject where there is no such kind. */
export function checkKind(kind: string): asserts kind is Kind {
  if (!Object.hasOwn(kinds, kind)) throw new InvalidObject(`There is no kind "${kind}"`);
}

/** Whether an object can have this name at all: one that cannot is never asked for, so that no name becomes another path. */
export function canExist({ namespace, name }: Ref): boolean {
  return namespaceSchema.safeParse(namespace).success && nameSchema.safeParse(name).success;
}

/** Of a namespace; absent: of all. Throws InvalidObject. */
export function listPath(kind: Kind, namespace: string | undefined): string {
  if (namespace === undefined) return `/apis/${kinds[kind].apiVersion}/${PLURALS[kind]}`;
  if (!namespaceSchema.safeParse(namespace).success) throw new InvalidObject(`"${namespace}" is no name of a namespace`);
  return `/apis/${kinds[kind].apiVersion}/namespaces/${namespace}/${PLURALS[kind]}`;
}

/** Throws InvalidObject. */
export function objectPath(kind: Kind, { namespace, name }: Ref): string {
  if (!nameSchema.safeParse(name).success) throw new InvalidObject(`${kind}.metadata.name: "${name}" is no name of an object`);
  return `${listPath(kind, namespace)}/${name}`;
}

/** "lanes.tidemill.dev", as kubectl takes it. */
export function resourceName(kind: Kind): string {
  return `${PLURALS[kind]}.${kinds[kind].apiVersion.replace(/\/.*/, '')}`;
}

const LABEL_KEY = /^(?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
/** Selects nothing: has a label, and has it not. */
const NOTHING = 'tidemill.dev/none,!tidemill.dev/none';

/** What the query says. Labels that no object can carry select nothing, and are no error. */
export function selector(labels: Record<string, string> | undefined): { labelSelector?: string } {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) return {};
  if (!entries.every(([key, value]) => LABEL_KEY.test(key) && LABEL_VALUE.test(value))) return { labelSelector: NOTHING };
  return { labelSelector: entries.map(([key, value]) => `${key}=${value}`).join(',') };
}
