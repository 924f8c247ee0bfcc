// What a namespace that was made ready for projects is known by: the RoleBinding that lets the watcher of an installation work there, with the
// label that names the installation. Only who may hand out those rights can make it, so nobody makes his own namespace one.

/** Its value is the namespace that the installation itself runs in. */
export const INSTALLATION = 'tidemill.dev/installation';

/** Name of the RoleBinding, in each of them. */
export const MARKER = 'tidemill-watcher';

interface Binding {
  metadata: { namespace: string };
  roleRef?: { kind?: string; name?: string };
  subjects?: { kind?: string; name?: string; namespace?: string }[];
}

/** A label and a name are easily written; to bind this role wants the right to. It has the name of the installation that the roles were made for. */
export function isMarker({ roleRef, subjects = [] }: Binding, system: string): boolean {
  const isRole = roleRef?.kind === 'ClusterRole' && roleRef.name?.endsWith(':watcher:project') === true;
  return isRole && subjects.some(({ kind, name, namespace }) => kind === 'ServiceAccount' && name === 'watcher' && namespace === system);
}
