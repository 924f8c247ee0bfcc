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
  const eventing = eventingObjects(resolved);
  const settings = [configMap(resolved)];
  const annotations = configAnnotations([...settings, ...(eventing['settings'] ?? [])]);
  const sleeps = (workload: Workload) => resolved.overlay === 'knative' && workload.sleeps;
  return {
    namespace: [systemNamespace(resolved)],
    accounts: serviceAccounts(resolved.namespace),
    roles: roles(resolved.namespace),
    settings,
    eventing,
    network: networkPolicies(all, resolved),
    workloads: all.map((workload) => ({
      workload,
      objects: sleeps(workload) ? [knativeService(workload, resolved, annotations)] : deployed(workload, resolved, annotations),
    })),
    production: productionObjects(
      all.filter((workload) => !sleeps(workload)),
      resolved,
    ),
  };
}

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
    // Before those that publish: a pod that starts finds its sink bound.
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
