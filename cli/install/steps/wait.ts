// Waits until what was applied works, telling how far it is; ends early where waiting does not help.
import type { KubeObject } from '../../../knative/generate/object.ts';
import { readinessOf } from '../cluster/ready.ts';
import { keyOf, type Live, type Resources, titleOf } from '../cluster/resources.ts';
import { each } from './survey.ts';

export interface Unready {
  object: string;
  why: string;
}

const PAUSE_MS = 1000;
/** An image or a Secret may come late; after so long of the same trouble it does not. */
const STUCK_MS = 30_000;

const WAITED_FOR = new Set(['Deployment', 'HorizontalPodAutoscaler', 'Broker', 'Trigger', 'SinkBinding', 'PingSource', 'CustomResourceDefinition']);

export function isWaitedFor({ apiVersion, kind }: KubeObject): boolean {
  return WAITED_FOR.has(kind) || (kind === 'Service' && apiVersion.startsWith('serving.knative.dev/'));
}

export interface WaitOptions {
  timeout_ms: number;
  signal?: AbortSignal | undefined;
  tell: (ready: number, all: number, waitingFor: string) => void;
}

/** Resolves with those that are not ready: none, when all is well. */
export async function waitReady(resources: Resources, objects: readonly KubeObject[], { timeout_ms, signal, tell }: WaitOptions): Promise<Unready[]> {
  const until = Date.now() + timeout_ms;
  const stuckSince = new Map<string, number>();
  const ready = new Set<string>();
  for (;;) {
    const unready = new Map<string, Unready>();
    await each(
      objects.filter((object) => !ready.has(keyOf(object))),
      async (object) => {
        const live = await resources.get(object);
        const { state, why = '' } = live ? await readinessOf(live, resources) : ({ state: 'waiting', why: 'it is not there' } as const);
        if (state === 'ready') ready.add(keyOf(object));
        else unready.set(keyOf(object), { object: titleOf(object), why });
        if (state !== 'stuck') stuckSince.delete(keyOf(object));
        else if (!stuckSince.has(keyOf(object))) stuckSince.set(keyOf(object), Date.now());
      },
    );
    const [first] = unready.values();
    tell(ready.size, objects.length, first ? `${first.object}: ${first.why}` : '');
    const hopeless = [...stuckSince.values()].some((since) => Date.now() - since > STUCK_MS);
    if (!first || hopeless || Date.now() > until || signal?.aborted) return [...unready.values()];
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** As they are now, without waiting. */
export async function unreadyOf(resources: Resources, objects: readonly Live[]): Promise<Unready[]> {
  const found: Unready[] = [];
  await each(objects, async (object) => {
    const { state, why = '' } = await readinessOf(object, resources);
    if (state !== 'ready') found.push({ object: titleOf(object), why });
  });
  return found.toSorted((a, b) => (a.object < b.object ? -1 : 1));
}
