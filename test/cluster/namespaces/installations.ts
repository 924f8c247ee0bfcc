// Installations of which only the accounts and the roles are there: what their functions may do and see is tried in this process, as those accounts.
import { manifests, projectNamespace } from '../../../knative/generate/manifests.ts';
import type { KubeObject } from '../../../knative/generate/object.ts';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { kubectl } from '../watcher/world.ts';

const apply = (namespace: string, objects: readonly KubeObject[]) =>
  kubectl(namespace, ['apply', '--server-side', '--force-conflicts', '-f', '-'], { apiVersion: 'v1', kind: 'List', items: objects });

const ofCluster = (system: string) => manifests({ overlay: 'jetstream', namespace: system }).filter(({ kind }) => kind.startsWith('ClusterRole'));

/** In a namespace that is there. */
export async function installRoles(system: string): Promise<void> {
  const all = manifests({ overlay: 'jetstream', namespace: system });
  await apply(
    system,
    all.filter(({ kind }) => /ServiceAccount|Role/.test(kind)),
  );
}

/** What is not gone with the namespace. */
export async function removeRoles(system: string): Promise<void> {
  const names = ofCluster(system).map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);
  await kubectl('default', ['delete', '--ignore-not-found', ...names]);
}

/** As `tidemill install --project-namespace` does, and `kubectl apply -k knative/project-namespace`. */
export async function prepare(namespace: string, system: string): Promise<void> {
  await apply(namespace, projectNamespace(namespace, system));
}

/** A client that is a function's account, and has its rights. */
export async function clientAs(admin: KubeClient, account: string, system: string): Promise<KubeClient> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } };
  const path = `/api/v1/namespaces/${system}/serviceaccounts/${account}/token`;
  const { status } = await admin.request<{ status: { token: string } }>('POST', path, { body });
  return createKubeClient({
    connect: async () => {
      const { server, tls } = await anywhere()();
      const { cert: _cert, key: _key, ...others } = tls ?? {};
      return { server, tls: others, headers: async () => ({ authorization: `Bearer ${status.token}` }), namespace: system };
    },
  });
}
