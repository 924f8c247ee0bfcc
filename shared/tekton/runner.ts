// The Runner of a cluster: TaskRuns are real Tekton's. What it does not take is refused with its own words; logs come from the archive, or from the kubelet.
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeError } from '../kubernetes/client/error.ts';
import { type KubeClient, PATCH } from '../kubernetes/client/client.ts';
import type { NewObj, Obj, OwnerReference } from '../objects/kinds.ts';
import { whyOtherDefinition } from '../decisions/taskruns.ts';
import { LABEL } from '../objects/meta.ts';
import { isDone } from '../objects/taskrun.ts';
import type { Ref } from '../ports/objects.ts';
import { InvalidTaskRun, type LogLine, type Runner } from '../ports/runner.ts';
import type { LogArchive } from './logs/archive.ts';
import { type TaskRunFeed, taskRunLines } from './logs/follow.ts';
import type { ReadSecret } from './logs/pod.ts';
import { type ManifestOptions, manifestOf } from './taskrun/manifest.ts';
import { type RawTaskRun, pathOf, taskRunOf, taskRunPath } from './taskrun/object.ts';
import { isMissing, refusal } from './taskrun/refused.ts';
import { checkSecrets, type ReservedSecrets } from './taskrun/secrets.ts';

export interface TektonRunnerOptions extends ManifestOptions {
  client: KubeClient;
  /** Whom a TaskRun goes with, where the caller does not say so in its metadata. */
  owner?: (taskRun: NewObj<'TaskRun'>) => Promise<OwnerReference | undefined>;
  /** Where logs are kept while TaskRuns run (follow-taskruns.ts). Absent: they are read from the kubelet. */
  archive?: LogArchive;
  /** Secrets that TaskRuns of executions may not name. */
  reserved?: ReservedSecrets;
  /** Masks what it gives in logs that come from the kubelet. */
  readSecret?: ReadSecret;
}

/** Between looks at a TaskRun whose log is followed. Milliseconds. */
const LOOK_MS = 300;
/** The end of a log is kept at most so long after the end of its TaskRun; one that nobody wrote down is not waited for. Milliseconds. */
const ARCHIVED_MS = 60_000;

export function createTektonRunner(options: TektonRunnerOptions): Runner {
  const { client, archive } = options;
  const stopping = new AbortController();

  const get = async (ref: Ref): Promise<Obj<'TaskRun'> | undefined> => {
    try {
      const raw = await missingIsUndefined(client.request<RawTaskRun>('GET', pathOf(ref)));
      return raw && taskRunOf(raw);
    } catch (error) {
      throw refusal(error, ref.namespace);
    }
  };

  const stepAction = async ({ namespace, name }: Ref): Promise<object | undefined> => {
    const path = `/apis/tekton.dev/v1beta1/namespaces/${encodeURIComponent(namespace)}/stepactions/${encodeURIComponent(name)}`;
    return (await missingIsUndefined(client.request<{ spec: object }>('GET', path)))?.spec;
  };

  return {
    async start(taskRun) {
      const isOfExecution = taskRun.metadata.labels?.[LABEL.execution] !== undefined;
      if (options.reserved && isOfExecution) await checkSecrets(taskRun.spec, taskRun.metadata.namespace, { reserved: options.reserved, stepAction });
      const owner = taskRun.metadata.ownerReferences?.[0] ?? (await options.owner?.(taskRun));
      const manifest = manifestOf(taskRun, owner, options);
      try {
        await client.request('POST', taskRunPath(taskRun.metadata.namespace), { body: manifest, query: { fieldManager: 'tidemill' } });
      } catch (error) {
        if (!(error instanceof KubeError && error.reason === 'AlreadyExists')) throw refusal(error, taskRun.metadata.namespace);
        await checkOurs(client, taskRun, owner);
      }
    },

    get,

    async cancel(ref, reason) {
      const found = await get(ref);
      if (!found || isDone(found.status) || found.spec.status === 'TaskRunCancelled') return;
      const body = { spec: { status: 'TaskRunCancelled', statusMessage: reason.slice(0, 4096) } };
      try {
        await client.request('PATCH', pathOf(ref), { body, contentType: PATCH.merge });
      } catch (error) {
        if (isMissing(error)) return;
        // Tekton takes no change of one that ended meanwhile.
        const now = await get(ref);
        if (now && !isDone(now.status)) throw error;
      }
    },

    logs: (ref, read = {}) => (archive ? archive.read(ref, read, async () => mayGrow(await get(ref))) : live(ref, read)),

    async stop() {
      stopping.abort(new Error('the runner was stopped'));
    },
  };

  async function* live(ref: Ref, { after = 0, step, follow = false, signal }: NonNullable<Parameters<Runner['logs']>[1]>): AsyncGenerator<LogLine> {
    const until = signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal;
    const feed: TaskRunFeed = { get: () => get(ref), changed: (end) => sleep(LOOK_MS, undefined, { signal: end }) };
    let seq = 0;
    try {
      for await (const { pod: _pod, ...line } of taskRunLines({ client, feed, follow, readSecret: options.readSecret, signal: until })) {
        if (++seq > after && (step === undefined || line.step === step)) yield { seq, ...line };
      }
    } catch (error) {
      if (!until.aborted) throw error;
    }
  }
}

/** Whether a log that has no end yet may still get one. */
function mayGrow(taskRun: Obj<'TaskRun'> | undefined): boolean {
  if (!taskRun) return false;
  const { completionTime } = taskRun.status ?? {};
  return !isDone(taskRun.status) || (completionTime !== undefined && Date.now() - Date.parse(completionTime) < ARCHIVED_MS);
}

/** A TaskRun of this name is there. That is success when it is the very one. */
async function checkOurs(client: KubeClient, taskRun: NewObj<'TaskRun'>, owner: OwnerReference | undefined): Promise<void> {
  const { metadata } = taskRun;
  const found = await missingIsUndefined(client.request<RawTaskRun>('GET', pathOf(metadata)));
  const what = `TaskRun ${metadata.namespace}/${metadata.name}`;
  if (!found) throw new Error(`${what} was there, and is gone again; try again`);
  const labels = found.metadata.labels ?? {};
  const other = [LABEL.execution, LABEL.stage, LABEL.step].find((label) => labels[label] !== metadata.labels?.[label]);
  if (other !== undefined)
    throw new InvalidTaskRun(`metadata.name: ${what} exists already and is not ours: its label ${other} is ${labels[other] ?? 'not set'}`);
  const why = whyOtherDefinition(taskRunOf(found), taskRun);
  if (why !== undefined) throw new InvalidTaskRun(why);
  const earlier = owner && found.metadata.ownerReferences?.find((each) => each.kind === owner.kind);
  if (earlier && earlier.uid !== owner.uid) throw new Error(`${what} belongs to an earlier ${owner.kind} of this name, and goes with it; try again`);
}

async function missingIsUndefined<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
