// Our own share of a hello TaskRun's wall time: from the push to its creation, and from its completion to the end of the execution. Tekton's controller works.
import type { KubeClient } from '../../../../shared/kubernetes/client/client.ts';
import type { Overlay } from '../../../cluster/chain/installation.ts';
import { median } from '../../figures.ts';
import type { BenchRow } from '../../row.ts';
import type { Ground } from '../ground.ts';
import type { Installed } from '../installed.ts';

const RUNS = 9;
const LIMIT_MS = 100;
const RUN_MS = 180_000;

interface Line {
  object: { metadata: { name: string }; status?: { phase?: string; conditions?: { type: string; status: string }[] } };
}

interface Moments {
  /** When a change of the named object that fits was seen: performance.now(). Rejects after so long. */
  of(name: string, fits: (status: NonNullable<Line['object']['status']>) => boolean): Promise<number>;
  close(): void;
}

interface Share {
  create: number;
  finish: number;
  whole: number;
}

const isDone = ({ conditions }: NonNullable<Line['object']['status']>) =>
  conditions?.some(({ type, status }) => type === 'Succeeded' && status !== 'Unknown') ?? false;
const isEnded = ({ phase }: NonNullable<Line['object']['status']>) => phase === 'Succeeded' || phase === 'Failed' || phase === 'Cancelled';

export async function shareRows(ground: Ground, overlay: Overlay, ours: Installed): Promise<BenchRow[]> {
  const { client } = ground;
  const { projects } = ours.installation;
  const taskRuns = await watchMoments(client, `/apis/tekton.dev/v1/namespaces/${projects}/taskruns`);
  const executions = await watchMoments(client, `/apis/tidemill.dev/v1alpha1/namespaces/${projects}/executions`);
  ground.later('watches', async () => {
    taskRuns.close();
    executions.close();
  });
  const shares: Share[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const { taskRun, execution, began } = await ours.tell(0);
    const done = taskRuns.of(taskRun, isDone);
    const ended = executions.of(execution, isEnded);
    const created = await ours.arrivals.of(taskRun);
    const share = { create: created - began, finish: (await ended) - (await done), whole: (await ended) - began };
    ground.log(
      `hello: created after ${share.create.toFixed(0)} ms, ended ${share.finish.toFixed(0)} ms after its TaskRun, all of it ${share.whole.toFixed(0)} ms`,
    );
    // The first one warms up what comes after a TaskRun.
    if (run > 0) shares.push(share);
  }
  const own = median(shares.map(({ create, finish }) => create + finish));
  const whole = median(shares.map((share) => share.whole));
  return [
    {
      bench: `cluster, ${overlay}`,
      what: "our own share of a hello TaskRun's wall time: push → created, and completed → execution ended",
      ours: own,
      peer: 'all of it, Tekton included',
      theirs: whole,
      unit: 'ms',
      ratio: own / whole,
      target: `ours < ${LIMIT_MS}`,
      ok: own < LIMIT_MS,
      note: `medians of ${RUNS}: created after ${median(shares.map(({ create }) => create)).toFixed(0)} ms, ended ${median(shares.map(({ finish }) => finish)).toFixed(0)} ms after the TaskRun, as watches show both; Tekton's controller at work`,
    },
  ];
}

async function watchMoments(client: KubeClient, path: string): Promise<Moments> {
  const { metadata } = await client.request<{ metadata: { resourceVersion: string } }>('GET', path, { query: { limit: 1 } });
  const stop = new AbortController();
  const waiting = new Map<string, { fits: (status: NonNullable<Line['object']['status']>) => boolean; seen: (at: number) => void }>();
  const follow = async () => {
    for await (const line of client.stream(path, { query: { watch: true, resourceVersion: metadata.resourceVersion }, signal: stop.signal })) {
      const at = performance.now();
      const { object } = JSON.parse(line) as Line;
      const one = waiting.get(object.metadata?.name);
      if (one && object.status && one.fits(object.status)) one.seen(at);
    }
  };
  follow().catch(() => undefined); // what waits for it says that nothing came
  return {
    of: (name, fits) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${path}/${name} did not end within ${RUN_MS / 1000} s`)), RUN_MS);
        const seen = (at: number) => {
          clearTimeout(timer);
          waiting.delete(name);
          resolve(at);
        };
        waiting.set(name, { fits, seen });
      }),
    close: () => stop.abort(),
  };
}
