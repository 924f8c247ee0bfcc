// Everything of tidemill's that stands in a cluster, made from the graph: what `tidemill install` applies and what the kustomize folders hold.
import { eventingObjects } from '../../eventing/manifests/eventing.ts';
import { deployed } from './workloads/deployment.ts';
import { knativeService } from './workloads/knative-service.ts';
import { networkPolicies } from './workloads/network.ts';
import { type KubeObject, labelsOf } from './object.ts';
import { type ManifestOptions, type Resolved, resolve, SYSTEM_NAMESPACE } from './options.ts';
import { productionObjects } from './workloads/production.ts';
import { projectRoles, roles, serviceAccounts } from './access/roles.ts';
import { configAnnotations, configMap } from './settings.ts';
import { type Workload, workloads } from './workloads/workloads.ts';

/** The objects by where they stand in the repository. */
export interface Parts {
  namespace: KubeObject[];
  accounts: KubeObject[];
  roles: KubeObject[];
  settings: KubeObject[];
  eventing: Record<string, KubeObject[]>;
  network: KubeObject[];
  /** Of each function and edge. */
  workloads: { workload: Workload; objects: KubeObject[] }[];
  production: KubeObject[];
}

export function parts(options: ManifestOptions): Parts {
  const resolved = resolve(options);
  const all = workloads(resolved.overlay);
  const events = eventingObjects(resolved);
  const settings = [configMap(resolved)];
  const annotations = configAnnotations([...settings, ...(events['settings'] ?? [])]);
  const sleeps = (workload: Workload) => resolved.overlay === 'knative' && workload.sleeps;
  const made = all.map((workload) => ({
    workload,
    objects: sleeps(workload) ? [knativeService(workload, resolved, annotations)] : deployed(workload, resolved, annotations),
  }));
  return {
    namespace: [systemNamespace(resolved)],
    accounts: serviceAccounts(resolved.namespace),
    roles: roles(resolved.namespace),
    settings,
    eventing: withSinks(events, made),
    network: networkPolicies(all, resolved),
    workloads: made.filter(({ workload }) => !isSink(workload)),
    production: productionObjects(all, sleeps, resolved),
  };
}

/** Where the Broker sends what it gives up on stands beside the Broker, which is not ready before it has that address. */
function withSinks(events: Record<string, KubeObject[]>, made: Parts['workloads']): Record<string, KubeObject[]> {
  const { settings = [], ...others } = events;
  return {
    settings,
    ...Object.fromEntries(made.filter(({ workload }) => isSink(workload)).map(({ workload, objects }) => [workload.name, objects])),
    ...others,
  };
}

const isSink = (workload: Workload) => workload.name === 'dead-letters';

/**
 * All objects of an installation but the custom resource definitions, in an order that they can be applied in.
 * The Secrets that they refer to (tidemill-secrets, tidemill-storage) are not among them.
 */
export function manifests(options: ManifestOptions): KubeObject[] {
  const all = parts(options);
  return [
    ...all.namespace,
    ...all.accounts,
    ...all.roles,
    ...all.settings,
    ...all.network,
    // Before those that publish: one that is made finds its sink bound, and is not made a second time for it.
    ...Object.values(all.eventing).flat(),
    ...all.workloads.flatMap(({ objects }) => objects),
    ...all.production,
  ];
}

/** What a namespace needs before Projects can be built in it. The namespace itself is not among it. */
export function projectNamespace(namespace: string, system = SYSTEM_NAMESPACE): KubeObject[] {
  return projectRoles(namespace, system);
}

/** Restricted Pod Security for everything in it, by force and not by promise. */
function systemNamespace({ namespace }: Resolved): KubeObject {
  const modes = ['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']);
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { ...labelsOf(), ...Object.fromEntries(modes) } } };
}
