// Every object of an installation, in the order in which they are applied.
import { customResources } from '../../knative/generate/crds.ts';
import { manifests, projectNamespace } from '../../knative/generate/manifests.ts';
import type { KubeObject } from '../../knative/generate/object.ts';
import { CONFIG, OVERLAYS, SIZES } from '../../knative/generate/options.ts';
import { CRD_VERSION, INSTALLED, LABELS, MADE_BY, stamped } from './labels.ts';
import type { Wanted } from './options.ts';

export interface Stage {
  name: string;
  objects: KubeObject[];
}

export interface Desired {
  /** Of the whole cluster: shared by all installations in it. */
  definitions: KubeObject[];
  namespaces: KubeObject[];
  /** Without the Secrets, which depend on what is there. */
  stages: Stage[];
}

/** A Broker works only when its dead-letter sink does, and who publishes is told of the Broker when it starts: so in this order. */
const STAGES: [name: string, kinds: readonly string[]][] = [
  ['settings, roles', ['ConfigMap', 'ServiceAccount', 'ClusterRole', 'Role', 'ClusterRoleBinding', 'RoleBinding', 'NetworkPolicy']],
  ['dead letters', []],
  ['broker', ['Broker', 'SinkBinding']],
  ['functions', ['Deployment', 'Service']],
  ['subscriptions', []],
];

export function desiredOf(wanted: Wanted, made: (namespace: string) => boolean): Desired {
  const { namespace, overlay, size, image, settings, version } = wanted;
  const all = [...manifests({ overlay, size, namespace, image, settings }), ...wanted.projects.flatMap((project) => projectNamespace(project, namespace))];
  const own = all.filter(({ kind }) => kind !== 'Namespace').map((object) => noted(stamped(object, namespace), wanted));
  const system = all.filter(({ kind }) => kind === 'Namespace').map((object) => madeBy(stamped(object, namespace), made(namespace)));
  const projects = wanted.projects.map((name) =>
    madeBy({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { [LABELS.managedBy]: 'tidemill' } } }, made(name)),
  );
  return {
    definitions: customResources().map((definition) => crd(definition as unknown as KubeObject, version)),
    // A namespace that somebody else made is his: nothing is written into it.
    namespaces: [...system, ...projects.filter(({ metadata }) => made(metadata.name))],
    stages: STAGES.map(([name]) => ({ name, objects: own.filter((object) => stageOf(object, deadLetterSinks(own)) === name) })),
  };
}

function stageOf({ kind, metadata }: KubeObject, sinks: ReadonlySet<string>): string {
  if (kind === 'Service' && sinks.has(metadata.name)) return 'dead letters';
  return (STAGES.find(([, kinds]) => kinds.includes(kind)) ?? STAGES.at(-1)!)[0];
}

function deadLetterSinks(objects: readonly KubeObject[]): Set<string> {
  const brokers = objects.filter(({ kind }) => kind === 'Broker') as (KubeObject & { spec: { delivery?: { deadLetterSink?: { ref?: { name: string } } } } })[];
  return new Set(brokers.flatMap(({ spec }) => spec.delivery?.deadLetterSink?.ref?.name ?? []));
}

function noted(object: KubeObject, { version, overlay, size, s3Secret }: Wanted): KubeObject {
  if (object.kind !== 'ConfigMap' || object.metadata.name !== CONFIG.all) return object;
  return withAnnotation(object, INSTALLED, JSON.stringify({ version, overlay, size, ...(s3Secret === 'none' && { s3Secret }) }));
}

const madeBy = (object: KubeObject, yes: boolean) => (yes ? withAnnotation(object, MADE_BY, 'tidemill install') : object);

function crd(definition: KubeObject, version: string): KubeObject {
  const labels = { ...definition.metadata.labels, [LABELS.managedBy]: 'tidemill' };
  return withAnnotation({ ...definition, metadata: { ...definition.metadata, labels } }, CRD_VERSION, version);
}

function withAnnotation(object: KubeObject, name: string, value: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [name]: value } } };
}

/** Every kind that an installation of any overlay and size has, Secrets included, once each. */
export function everyKind(): { apiVersion: string; kind: string }[] {
  const objects = [
    { apiVersion: 'v1', kind: 'Secret' },
    ...OVERLAYS.flatMap((overlay) => SIZES.flatMap((size) => manifests({ overlay, size }))),
    ...projectNamespace('any'),
  ].filter(({ kind }) => kind !== 'Namespace');
  return [...new Map(objects.map(({ apiVersion, kind }) => [`${apiVersion} ${kind}`, { apiVersion, kind }])).values()];
}
