// The lines of a TaskRun from its pods: attempt by attempt, step by step, until it has ended, going on from where an earlier reader stopped.
import type { Obj } from '../../objects/kinds.ts';
import { isDone } from '../../objects/taskrun.ts';
import type { KubeClient } from '../../kubernetes/client/client.ts';
import { type LogLine, RUNNER_STEP } from '../../ports/runner.ts';
import { type ContainerOptions, type Since, stepLines } from './container.ts';
import { type Pod, type ReadSecret, containersOf, isReplaced, maskOf, readPod } from './pod.ts';
import { type Collected, collect } from './sidecars.ts';

export interface SourceLine extends Omit<LogLine, 'seq'> {
  /** uid of the pod that it comes from. Absent: a line of the runner's own. */
  pod?: string;
}

/** The last line that is kept already: of a step, and the runner's own after it. */
export interface LogPosition extends Since {
  pod: string;
  step: string;
  note?: string;
}

/** How the reader hears of its TaskRun. */
export interface TaskRunFeed {
  get(): Promise<Obj<'TaskRun'> | undefined>;
  /** Resolves when it may have changed, and now and then. Throws the signal's reason. */
  changed(signal: AbortSignal): Promise<void>;
}

export interface FollowOptions {
  client: KubeClient;
  feed: TaskRunFeed;
  /** Until it has ended; else what is there now. */
  follow: boolean;
  after?: LogPosition | undefined;
  readSecret?: ReadSecret | undefined;
  signal: AbortSignal;
}

/** Throws KubeError when the API server stays away, or forbids to read logs. */
export async function* taskRunLines(options: FollowOptions): AsyncGenerator<SourceLine> {
  const { feed, follow, signal } = options;
  const told = new Map<string, string>();
  const noted = new Set<number>();
  let after = options.after;
  for (;;) {
    const taskRun = await feed.get();
    if (!taskRun) return;
    const attempts = attemptsOf(taskRun);
    const pods = await podsOf(options, taskRun, attempts);
    if (after) after = passOver(attempts, pods, after, told, noted);
    for (const [index, { name, failed }] of attempts.entries()) {
      const pod = pods.get(name);
      if (pod && !told.has(pod.metadata.uid)) {
        if ([...told.values()].includes(name)) yield note(`the pod ${name} was lost, and another one begins its steps anew`);
        yield* podLines(pod, options, after?.pod === pod.metadata.uid ? after : undefined);
        told.set(pod.metadata.uid, name);
      }
      const text = failed === undefined ? undefined : `attempt ${index + 1} failed (${failed}); trying again`;
      if (text !== undefined && !noted.has(index) && after?.note !== text) yield note(text);
      if (text !== undefined) noted.add(index);
    }
    after = undefined;
    if (!follow || isDone(taskRun.status)) return;
    await feed.changed(signal);
  }
}

interface Attempt {
  /** Of its pod. */
  name: string;
  /** Why it failed, when another one follows it. */
  failed?: string;
}

function attemptsOf({ status }: Obj<'TaskRun'>): Attempt[] {
  const earlier = (status?.retriesStatus ?? []) as { podName?: string; conditions?: { reason?: string }[] }[];
  return [
    ...earlier.map(({ podName = '', conditions }) => ({ name: podName, failed: conditions?.[0]?.reason ?? '' })),
    ...(status?.podName && !earlier.some((each) => each.podName === status.podName) ? [{ name: status.podName }] : []),
  ];
}

async function podsOf({ client, signal }: FollowOptions, { metadata }: Obj<'TaskRun'>, attempts: readonly Attempt[]): Promise<Map<string, Pod>> {
  const pods = new Map<string, Pod>();
  for (const { name } of attempts) {
    const pod = name ? await readPod(client, { namespace: metadata.namespace, name }, signal) : undefined;
    if (pod) pods.set(name, pod);
  }
  return pods;
}

/** Attempts that were told before are not told again. Undefined: the pod that was read last is gone, and nothing of the others was read. */
function passOver(
  attempts: readonly Attempt[],
  pods: ReadonlyMap<string, Pod>,
  after: LogPosition,
  told: Map<string, string>,
  noted: Set<number>,
): LogPosition | undefined {
  const at = attempts.findIndex(({ name }) => pods.get(name)?.metadata.uid === after.pod);
  for (const [index, { name }] of attempts.entries()) {
    const pod = pods.get(name);
    const isEarlier = at >= 0 ? index < at : pod !== undefined && pod.metadata.creationTimestamp <= after.time;
    if (!isEarlier) continue;
    if (pod) told.set(pod.metadata.uid, name);
    noted.add(index);
  }
  return at >= 0 ? after : undefined;
}

async function* podLines(pod: Pod, { client, feed, follow, readSecret, signal }: FollowOptions, after: LogPosition | undefined): AsyncGenerator<SourceLine> {
  const mask = await maskOf(pod, readSecret);
  const isOver = async () => {
    const now = await feed.get();
    return !now || isDone(now.status);
  };
  const all = containersOf(pod);
  const rest = after
    ? all.slice(
        Math.max(
          0,
          all.findIndex(({ step }) => step === after.step),
        ),
      )
    : all;
  // Those of sidecars come last: before the end they would be told where lines of steps are yet to come.
  const withSidecars = follow || (await isOver());
  const left = rest.filter(({ container, isSidecar }) => !isSidecar || (withSidecars && !isReplaced(pod, container)));
  const options = (container: string, step: string): ContainerOptions => {
    return { client, pod, container, mask, follow, since: step === after?.step ? after : undefined, isOver, signal };
  };
  const sidecars = new Map(left.filter(({ isSidecar }) => isSidecar).map(({ container, step }) => [container, collect(options(container, step))]));
  try {
    for (const { container, step } of left) {
      const sidecar = sidecars.get(container);
      const lines = sidecar ? sidecar.lines() : stepLines(options(container, step));
      if ((yield* named(lines, step, pod)) === 'gone' && !sidecars.size) return;
    }
  } finally {
    for (const sidecar of sidecars.values()) await sidecar.stop();
  }
}

/** Its lines as those of a step or sidecar. */
async function* named(lines: Collected, step: string, pod: Pod): AsyncGenerator<SourceLine, 'ended' | 'gone'> {
  try {
    for (;;) {
      const { done, value } = await lines.next();
      if (done) return value;
      yield value ? { step, stream: 'stdout', ...value, pod: pod.metadata.uid } : note(`lines of ${step} are missing here: the node no longer keeps them`);
    }
  } finally {
    await lines.return('gone'); // whoever reads may stop in the middle
  }
}

function note(text: string): SourceLine {
  return { step: RUNNER_STEP, stream: 'stderr', time: new Date().toISOString(), text };
}
