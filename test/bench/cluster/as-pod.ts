// Lets a process of this machine find the API server as a pod does: a service account's token, and its files where a pod has them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { type Ground, remove } from './ground.ts';

export interface AsPod {
  env: Record<string, string>;
  /** For node, before the program. */
  args: string[];
  /** Certificate of the API server's authority. */
  ca: string;
}

const FILES = '/var/run/secrets/kubernetes.io/serviceaccount';
const RBAC = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
const TOKEN_SECONDS = 7200;

/** May do everything: what each function may is measured nowhere here, and tested elsewhere. */
export async function asPod({ client, id, later, namespace: make }: Ground): Promise<AsPod> {
  const namespace = await make('process');
  const core = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await client.request('POST', core, { body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bench', namespace } } });
  const name = `${id}-process`;
  later('rights of the processes', () => remove(client, `${RBAC}/${name}`));
  await client.request('POST', RBAC, {
    body: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'bench', namespace }],
    },
  });
  const { status } = await client.request<{ status: { token: string } }>('POST', `${core}/bench/token`, {
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: TOKEN_SECONDS } },
  });
  const { server, tls } = await anywhere()();
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-pod-'));
  later('files of the processes', async () => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'token'), status.token, { mode: 0o600 });
  const ca = String(tls?.ca ?? '');
  writeFileSync(join(folder, 'ca.crt'), ca);
  writeFileSync(join(folder, 'namespace'), namespace);
  const preload = join(folder, 'files.cjs');
  writeFileSync(preload, elsewhere(folder));
  const { hostname, port } = new URL(server);
  return {
    args: ['--require', preload],
    ca,
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port || '443', KUBECONFIG: '', HOME: '/nonexistent' },
  };
}

/** A pod has these files mounted; here they are read from another folder. */
function elsewhere(folder: string): string {
  return `const files = require('node:fs/promises');
const { readFile } = files;
files.readFile = (path, ...rest) => readFile(typeof path === 'string' && path.startsWith(${JSON.stringify(FILES)}) ? ${JSON.stringify(folder)} + path.slice(${FILES.length}) : path, ...rest);
`;
}
