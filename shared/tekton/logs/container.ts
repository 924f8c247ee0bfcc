// The log of one container from the kubelet, over lost connections: each line once, in order, until the container has ended or is gone.
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeError } from '../../kubernetes/client/error.ts';
import type { KubeClient } from '../../kubernetes/client/client.ts';
import { type Mask, linePieces } from '../../runner/engine/lines.ts';
import { type Pod, hasEnded, podPath, readPod } from './pod.ts';

export interface StepLine {
  /** RFC 3339, UTC, with nine digits of a second. */
  time: string;
  text: string;
}

/** The last line that was told before; `same`: how many of its time, which may be pieces of one line. */
export interface Since {
  time: string;
  same: number;
}

export interface ContainerOptions {
  client: KubeClient;
  pod: Pod;
  /** Its name in the pod. */
  container: string;
  mask: Mask;
  follow: boolean;
  since?: Since | undefined;
  /** Whether the TaskRun has ended: a container that has not begun by then never will. */
  isOver: () => Promise<boolean>;
  signal: AbortSignal;
}

/** Between looks at a container that has not begun, or whose end is not recorded yet. Milliseconds. */
const LOOK_MS = 200;
/** A container's end is recorded within this time of its log's end, or its log was cut off. Milliseconds. */
const RECORDED_MS = 3000;
/** A kubelet or API server that stays away longer is told of. Milliseconds. */
const PATIENCE_MS = 60_000;

/** Yields `undefined` once where lines before the next are lost. Returns "gone" when the pod is no longer there. Throws KubeError. */
export async function* stepLines(options: ContainerOptions): AsyncGenerator<StepLine | undefined, 'ended' | 'gone'> {
  const { client, pod, container, follow, signal, isOver } = options;
  let since = options.since;
  let worked = performance.now();
  for (;;) {
    try {
      for await (const line of newLines(options, since)) {
        worked = performance.now();
        if (line) since = { time: line.time, same: line.time === since?.time ? since.same + 1 : 1 };
        yield line;
      }
      worked = performance.now();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof KubeError)) throw error;
      if (error.status === 404) return 'gone';
      if (error.status === 400) {
        // It has not begun. What ended before it began has no log.
        if (!follow || (await isOver())) return 'ended';
      } else if (!follow || error.status === 403 || performance.now() - worked > PATIENCE_MS) throw error;
      await sleep(LOOK_MS, undefined, { signal });
      continue;
    }
    if (!follow) return 'ended';
    const state = await stateOf(client, pod, container, signal);
    if (state !== 'running') return state;
  }
}

/** What comes after `since`, in pieces. The kubelet knows whole seconds only, so that lines told before come again, and are passed over. */
async function* newLines({ client, pod, container, mask, follow, signal }: ContainerOptions, since: Since | undefined): AsyncGenerator<StepLine | undefined> {
  const query = { container, timestamps: true, follow: follow || undefined, sinceTime: since && `${since.time.slice(0, 19)}Z` };
  let time = '';
  let same = 0;
  let met = !since;
  for await (const raw of client.stream(`${podPath(pod.metadata)}/log`, { query, signal })) {
    const line = timed(raw, time);
    if (!line) continue;
    time = line.time;
    if (ENTRYPOINT.test(line.text)) continue;
    for (const text of linePieces(line.text, mask)) {
      if (since && time < since.time) continue;
      if (since && time === since.time && same < since.same) {
        same++;
        met = true;
        continue;
      }
      if (!met) yield undefined;
      met = true;
      yield { time, text };
    }
  }
}

/** What Tekton's entrypoint says in the log of a step that it does not run, or whose time is up; the step's status says the same. */
const ENTRYPOINT =
  /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (?:Skipping step because a previous step failed|INFO Step was skipped due to when expressions were evaluated to false\.|context deadline exceeded)$/;

const STAMPED = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) /;

/** A line that bears no time of its own is the rest of one that was too long; the first one is the kubelet's word that there is no log. */
function timed(raw: string, before: string): StepLine | undefined {
  const [stamp, second = '', fraction = '', zone] = STAMPED.exec(raw) ?? [];
  if (stamp === undefined) return before === '' ? undefined : { time: before, text: raw };
  const inUtc = zone === 'Z' ? second : new Date(`${second}${zone ?? 'Z'}`).toISOString().slice(0, 19);
  return { time: `${inUtc}.${fraction.padEnd(9, '0')}Z`, text: raw.slice(stamp.length) };
}

async function stateOf(client: KubeClient, pod: Pod, container: string, signal: AbortSignal): Promise<'running' | 'ended' | 'gone'> {
  for (const began = performance.now(); ;) {
    const now = await readPod(client, pod.metadata, signal);
    if (now?.metadata.uid !== pod.metadata.uid) return 'gone';
    if (hasEnded(now, container)) return 'ended';
    if (performance.now() - began > RECORDED_MS) return 'running';
    await sleep(LOOK_MS, undefined, { signal });
  }
}
