// Service accounts, and the roles that the table of rights comes to.
import { type KubeObject, labelsOf } from '../object.ts';
import { type OwnKind, pluralOf } from '../crds/kinds.ts';
import { isRecord } from '../../../shared/objects/kinds.ts';
import { INSTALLATION, MARKER } from '../../../shared/objects/project-namespace.ts';
import { BUILD_ACCOUNT } from '../options.ts';
import { automount, type Rights, rights, type Table, type Thing, type Verb } from './rights.ts';

interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

interface Resource {
  group: string;
  resource: string;
  /** The only object of that name. */
  name?: string;
}

const CORE: Partial<Record<Thing, Resource>> = {
  TaskRun: { group: 'tekton.dev', resource: 'taskruns' },
  StepAction: { group: 'tekton.dev', resource: 'stepactions' },
  Secret: { group: '', resource: 'secrets' },
  Pod: { group: '', resource: 'pods' },
  PodLog: { group: '', resource: 'pods/log' },
  TokenReview: { group: 'authentication.k8s.io', resource: 'tokenreviews' },
  Lease: { group: 'coordination.k8s.io', resource: 'leases' },
  Event: { group: 'events.k8s.io', resource: 'events' },
  ProjectNamespace: { group: 'rbac.authorization.k8s.io', resource: 'rolebindings', name: MARKER },
};

export function resourceOf(thing: Thing): Resource {
  return CORE[thing] ?? { group: 'tidemill.dev', resource: pluralOf(thing as OwnKind) };
}

/** The status of a record is part of it, and has no resource of its own. */
const STATUS: Partial<Record<Verb, string>> = { status: 'update', 'patch-status': 'patch' };

/** Kinds of one group with the same verbs share a rule. */
function rules(table: Table): PolicyRule[] {
  const found = new Map<string, PolicyRule>();
  const add = ({ group: apiGroup, resource, name }: Resource, verbs: readonly string[]) => {
    if (verbs.length === 0) return;
    const key = `${apiGroup} ${verbs.join(' ')}`;
    const rule = found.get(key) ?? { apiGroups: [apiGroup], resources: [], verbs: [...verbs], ...(name !== undefined && { resourceNames: [name] }) };
    rule.resources.push(resource);
    found.set(key, rule);
  };
  for (const [thing, verbs] of Object.entries(table) as [Thing, readonly Verb[]][]) {
    const of = resourceOf(thing);
    add(
      of,
      verbs.filter((verb) => !(verb in STATUS)),
    );
    const status = verbs.flatMap((verb) => STATUS[verb] ?? []);
    if (isRecord(thing)) add(of, status.length > 0 ? ['patch'] : []);
    else add({ ...of, resource: `${of.resource}/status` }, status);
  }
  return [...found.values()];
}

const RBAC = 'rbac.authorization.k8s.io';
const apiVersion = `${RBAC}/v1`;

/** Cluster roles are the whole cluster's: the namespace in their names tells whose they are. */
const roleName = (system: string, name: string, scope?: string) => [system, name, scope].filter(Boolean).join(':');

const subject = (system: string, name: string) => ({ kind: 'ServiceAccount', name, namespace: system });
const roleRef = (kind: string, name: string) => ({ apiGroup: RBAC, kind, name });

export function serviceAccounts(namespace: string): KubeObject[] {
  return Object.keys(rights).map((name) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace, labels: labelsOf(name) },
    automountServiceAccountToken: automount(name),
  }));
}

function rolesOf(system: string, name: string, { cluster, project, system: own }: Rights): KubeObject[] {
  const labels = labelsOf(name);
  const clusterRole = (table: Table, scope?: string): KubeObject => ({
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name: roleName(system, name, scope), labels },
    rules: rules(table),
  });
  const objects: KubeObject[] = [];
  if (cluster) {
    const ref = roleName(system, name);
    objects.push(clusterRole(cluster), {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: ref, labels },
      roleRef: roleRef('ClusterRole', ref),
      subjects: [subject(system, name)],
    });
  }
  // Bound in each project's namespace, and nowhere else: a new version of tidemill changes it for all of them at once.
  if (project) objects.push(clusterRole(project, 'project'));
  if (own) {
    objects.push(
      { apiVersion, kind: 'Role', metadata: { name, namespace: system, labels }, rules: rules(own) },
      { apiVersion, kind: 'RoleBinding', metadata: { name, namespace: system, labels }, roleRef: roleRef('Role', name), subjects: [subject(system, name)] },
    );
  }
  return objects;
}

export function roles(system: string): KubeObject[] {
  return Object.entries(rights).flatMap(([name, own]) => rolesOf(system, name, own));
}

/** What makes a namespace ready for projects: the account that builds run as, and what functions may do there. `namespace` absent: the one that kubectl is told. */
export function projectRoles(namespace: string | undefined, system: string): KubeObject[] {
  const metadata = (name: string, owner?: string) => ({ name, ...(namespace && { namespace }), labels: { ...labelsOf(owner), [INSTALLATION]: system } });
  const bindings = Object.entries(rights).flatMap(([name, { project }]): KubeObject[] =>
    project
      ? [
          {
            apiVersion,
            kind: 'RoleBinding',
            metadata: metadata(`tidemill-${name}`, name),
            roleRef: roleRef('ClusterRole', roleName(system, name, 'project')),
            subjects: [subject(system, name)],
          },
        ]
      : [],
  );
  return [{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadata(BUILD_ACCOUNT), automountServiceAccountToken: false }, ...bindings];
}
