// Who asks: a token's pod, the pod's TaskRun, the TaskRun's execution, each checked against the API server. What does not fit together is nobody.
import { isTerminal } from '../../shared/decisions/execution.ts';
import { stageOf } from '../../shared/decisions/taskruns.ts';
import type { KubeClient } from '../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../shared/kubernetes/client/error.ts';
import type { Obj, OwnerReference } from '../../shared/objects/kinds.ts';
import { API_VERSION, LABEL } from '../../shared/objects/meta.ts';
import { isDone, type TaskRunStatus, type TaskSpec } from '../../shared/objects/taskrun.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import { TOKEN_AUDIENCE } from '../../shared/steps/step-environment.ts';
import { taskRunName } from '../../shared/decisions/names.ts';
import { type Pod, podHolders } from './pod.ts';
import { Refusal } from './refusal.ts';

/** Builds run as it, and it may do nothing at the API server. */
const SERVICE_ACCOUNT = 'tidemill-build';
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const MAX_TOKEN = 16_384;

export interface Asker {
  namespace: string;
  taskRun: { name: string; uid: string };
  execution: Obj<'Execution'>;
  /** As the execution was frozen with it; substitution has not been made. */
  taskSpec: TaskSpec;
  /** Names of containers that can show this token. */
  holders: ReadonlySet<string>;
  /** Names of containers that have ended. */
  ended: ReadonlySet<string>;
}

interface Deps {
  client: Pick<KubeClient, 'request'>;
  objects: Pick<Objects, 'get'>;
}

interface TokenReview {
  status?: { authenticated?: boolean; audiences?: string[]; user?: { username?: string; extra?: Record<string, string[]> } };
}

interface TaskRun {
  metadata: { uid: string; labels?: Record<string, string>; ownerReferences?: OwnerReference[]; deletionTimestamp?: string };
  spec?: { status?: string };
  status?: TaskRunStatus;
}

/** Throws Refusal: 401 for a token that is none of ours, 403 for one whose pod is no running step of an execution, 503 where that cannot be known yet. */
export async function identify(token: string | undefined, deps: Deps): Promise<Asker> {
  const { namespace, pod: named } = await review(token, deps.client);
  const pod = await get<Pod>(deps.client, `/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(named.name)}`);
  if (!pod || pod.metadata.uid !== named.uid) throw new Refusal(403, 'the pod of this token is gone');
  if (pod.spec.serviceAccountName !== SERVICE_ACCOUNT) throw new Refusal(403, `the pod does not run as ${SERVICE_ACCOUNT}`);
  const owner = pod.metadata.ownerReferences?.find(
    ({ apiVersion, kind, controller }) => kind === 'TaskRun' && apiVersion.startsWith('tekton.dev/') && controller,
  );
  if (!owner || pod.metadata.labels?.['tekton.dev/taskRun'] !== owner.name) throw new Refusal(403, 'the pod belongs to no TaskRun');
  const taskRun = await runningTaskRun(deps.client, namespace, owner, named.name);
  const { execution, taskSpec } = await executionOf(deps.objects, namespace, owner.name, taskRun);
  return { namespace, taskRun: { name: owner.name, uid: owner.uid }, execution, taskSpec, ...podHolders(pod) };
}

async function review(token: string | undefined, client: Deps['client']): Promise<{ namespace: string; pod: { name: string; uid: string } }> {
  if (!token || token.length > MAX_TOKEN || !/^[\w.~+/=-]+$/.test(token)) throw new Refusal(401, 'a service-account token is wanted, as Authorization: Bearer');
  const { status } = await client.request<TokenReview>('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences: [TOKEN_AUDIENCE] } },
  });
  if (!status?.authenticated || !status.audiences?.includes(TOKEN_AUDIENCE))
    throw new Refusal(401, `this is no valid token for the audience ${TOKEN_AUDIENCE}`);
  const { username = '', extra } = status.user ?? {};
  const [, namespace, account] = /^system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})$/.exec(username) ?? [];
  if (!namespace || account !== SERVICE_ACCOUNT) throw new Refusal(403, `the token is not of the service account ${SERVICE_ACCOUNT}`);
  const name = extra?.[POD_NAME]?.[0];
  const uid = extra?.[POD_UID]?.[0];
  if (!name || !uid) throw new Refusal(403, 'the token is bound to no pod');
  return { namespace, pod: { name, uid } };
}

async function runningTaskRun(client: Deps['client'], namespace: string, owner: OwnerReference, pod: string): Promise<TaskRun> {
  const taskRun = await get<TaskRun>(client, `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns/${encodeURIComponent(owner.name)}`);
  if (!taskRun || taskRun.metadata.uid !== owner.uid) throw new Refusal(403, 'the TaskRun of this pod is gone');
  if (isDone(taskRun.status) || taskRun.metadata.deletionTimestamp || taskRun.spec?.status?.startsWith('TaskRunCancelled'))
    throw new Refusal(403, 'the TaskRun of this pod has ended');
  if (!taskRun.status?.podName) throw new Refusal(503, 'it is not recorded yet which pod the TaskRun has');
  if (taskRun.status.podName !== pod) throw new Refusal(403, 'this is not the pod that the TaskRun has now');
  return taskRun;
}

async function executionOf(objects: Deps['objects'], namespace: string, taskRunIs: string, taskRun: TaskRun): Promise<Pick<Asker, 'execution' | 'taskSpec'>> {
  const name = taskRun.metadata.labels?.[LABEL.execution];
  if (!name) throw new Refusal(403, 'the TaskRun is of no execution');
  const execution = await objects.get('Execution', { namespace, name });
  const isOwner = (owner: OwnerReference) =>
    owner.apiVersion === API_VERSION && owner.kind === 'Execution' && owner.name === name && owner.uid === execution?.metadata.uid;
  if (!execution?.status || !taskRun.metadata.ownerReferences?.some(isOwner)) throw new Refusal(403, 'the TaskRun is of no execution');
  if (isTerminal(execution.status)) throw new Refusal(403, 'the execution of this TaskRun has ended');
  const index = stageOf(name, execution.status, taskRunIs);
  const stage = index === undefined ? undefined : execution.status.definition?.[index];
  const step = stage?.steps.find((each) => taskRunName(name, stage.name, each.name) === taskRunIs);
  if (!step) throw new Refusal(403, 'the execution has no step of this name');
  return { execution, taskSpec: step.taskSpec };
}

async function get<T>(client: Deps['client'], path: string): Promise<T | undefined> {
  try {
    return await client.request<T>('GET', path);
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}
