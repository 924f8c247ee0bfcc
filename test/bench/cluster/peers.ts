// Those that tidemill is compared with: a bare client that only creates the TaskRun, and Tekton Triggers with its GitHub interceptor.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import { pushBody, signedHeaders } from '../../support/github.ts';
import { watchArrivals } from './arrivals.ts';
import { type Ground, remove } from './ground.ts';
import type { Shot } from './load.ts';
import { openPoster, serviceTarget } from './post.ts';

/** A TaskRun as tidemill made it, without what is one TaskRun's alone. */
export interface TaskRunTemplate {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  spec: object;
}

export interface Peer {
  shot: Shot;
  namespace: string;
}

const READY_MS = 120_000;
const TRIGGERS = '/apis/triggers.tekton.dev/v1beta1';
const SECRET = 'bench-webhook-secret';

export async function templateOf({ client }: Ground, namespace: string, taskRun: string): Promise<TaskRunTemplate> {
  const found = await client.request<{ metadata: { labels: Record<string, string>; annotations?: Record<string, string> }; spec: object }>(
    'GET',
    `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns/${taskRun}`,
  );
  const own = (all: Record<string, string> = {}) => Object.fromEntries(Object.entries(all).filter(([key]) => key.startsWith('tidemill.dev/')));
  return { labels: own(found.metadata.labels), annotations: own(found.metadata.annotations), spec: found.spec };
}

/** What tidemill itself uses to talk to the API server, doing nothing else. */
export async function bareClient(ground: Ground, template: TaskRunTemplate): Promise<Peer> {
  const namespace = await ground.namespace('bare');
  const arrivals = await watchArrivals(ground.client, namespace);
  ground.later('watch of the bare client', async () => arrivals.close());
  const { labels, annotations, spec } = template;
  return {
    namespace,
    shot: async () => {
      const name = `bare-${randomBytes(10).toString('hex')}`;
      const body = { apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata: { name, namespace, labels, annotations }, spec };
      const began = performance.now();
      await ground.client.request('POST', `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns`, { body });
      return (await arrivals.of(name)) - began;
    },
  };
}

/** Undefined: the cluster has no Tekton Triggers. */
export async function tektonTriggers(ground: Ground, template: TaskRunTemplate): Promise<Peer | undefined> {
  if (!(await hasTriggers(ground))) return undefined;
  const namespace = await ground.namespace('triggers');
  const secret = await makeListener(ground, namespace, template);
  const arrivals = await watchArrivals(ground.client, namespace);
  ground.later('watch of Triggers', async () => arrivals.close());
  const poster = openPoster(await listenerTarget(ground, namespace));
  ground.later('connections to Triggers', async () => poster.close());
  const shot = async () => {
    const before = randomBytes(20).toString('hex');
    const body = pushBody({ repository: 'https://git.example.com/bench/site', before, after: 'a'.repeat(40) });
    const headers = signedHeaders(body, secret);
    const began = performance.now();
    await poster.post('/', headers, body);
    return (await arrivals.of(`t-${before}`, 180_000)) - began;
  };
  await shot();
  return { namespace, shot };
}

async function hasTriggers({ client }: Ground): Promise<boolean> {
  try {
    await client.request('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/eventlisteners.triggers.tekton.dev');
    return true;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return false;
    throw error;
  }
}

async function makeListener({ client, later, id }: Ground, namespace: string, { labels, annotations, spec }: TaskRunTemplate): Promise<string> {
  const make = (path: string, kind: string, apiVersion: string, name: string, rest: object) =>
    client.request('POST', path, { body: { apiVersion, kind, metadata: { name, namespace }, ...rest } });
  const core = `/api/v1/namespaces/${namespace}`;
  const rbac = `/apis/rbac.authorization.k8s.io/v1`;
  const subjects = [{ kind: 'ServiceAccount', name: 'listener', namespace }];
  const roleRef = (name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name });
  const secret = randomBytes(16).toString('hex');
  await make(`${core}/secrets`, 'Secret', 'v1', SECRET, { stringData: { secret } });
  await make(`${core}/serviceaccounts`, 'ServiceAccount', 'v1', 'listener', {});
  // As the documentation of Triggers has it: what is of a namespace, and the interceptors, which are the whole cluster's.
  const binding = { roleRef: roleRef('tekton-triggers-eventlistener-roles'), subjects };
  await make(`${rbac}/namespaces/${namespace}/rolebindings`, 'RoleBinding', 'rbac.authorization.k8s.io/v1', 'listener', binding);
  later('rights of Triggers', () => remove(client, `${rbac}/clusterrolebindings/${id}`));
  await client.request('POST', `${rbac}/clusterrolebindings`, {
    body: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: id },
      roleRef: roleRef('tekton-triggers-eventlistener-clusterroles'),
      subjects,
    },
  });
  const template = { apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata: { name: '$(tt.params.name)', namespace, labels, annotations }, spec };
  const listener = {
    serviceAccountName: 'listener',
    triggers: [
      {
        name: 'push',
        interceptors: [
          {
            ref: { name: 'github', kind: 'ClusterInterceptor' },
            params: [
              { name: 'secretRef', value: { secretName: SECRET, secretKey: 'secret' } },
              { name: 'eventTypes', value: ['push'] },
            ],
          },
        ],
        bindings: [{ name: 'name', value: 't-$(body.before)' }],
        template: { spec: { params: [{ name: 'name' }], resourcetemplates: [template] } },
      },
    ],
  };
  await make(`${TRIGGERS}/namespaces/${namespace}/eventlisteners`, 'EventListener', 'triggers.tekton.dev/v1beta1', 'bench', { spec: listener });
  return secret;
}

async function listenerTarget(ground: Ground, namespace: string) {
  const limit = Date.now() + READY_MS;
  for (;;) {
    const { status = {} } = await ground.client.request<{ status?: { conditions?: { type: string; status: string }[] } }>(
      'GET',
      `${TRIGGERS}/namespaces/${namespace}/eventlisteners/bench`,
    );
    if (status.conditions?.some(({ type, status: is }) => type === 'Available' && is === 'True')) return serviceTarget(ground, namespace, 'el-bench', 8080);
    if (Date.now() > limit) throw new Error(`The EventListener was not available within ${READY_MS / 1000} s: ${JSON.stringify(status)}`);
    await sleep(500);
  }
}
