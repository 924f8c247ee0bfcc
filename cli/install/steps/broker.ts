// The Brokers of an installation, and who is told of them. One that is there already goes on working meanwhile: a publisher that is told of a new Broker
// uses it at once, and what is said where nobody listens yet is answered 202 all the same, and lost.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../../../knative/generate/object.ts';
import { CliError, EXIT } from '../../exit.ts';
import { keyOf } from '../cluster/resources.ts';
import type { Unready } from './wait.ts';

/** A Trigger is ready a moment before events come through it. */
const SETTLE_MS = 3000;

interface Doing {
  /** What the stage has: Brokers and SinkBindings. */
  objects: readonly KubeObject[];
  all: readonly KubeObject[];
  live: ReadonlyMap<string, unknown>;
  apply: (objects: readonly KubeObject[]) => Promise<unknown>;
  wait: (objects: readonly KubeObject[]) => Promise<Unready[]>;
  settle_ms?: number;
}

/** Resolves with the Triggers that were applied along with it. Throws CliError where those who are there already would not be heard. */
export async function applyBrokers({ objects, all, live, apply, wait, settle_ms = SETTLE_MS }: Doing): Promise<KubeObject[]> {
  const brokers = objects.filter(({ kind }) => kind === 'Broker');
  await apply(brokers);
  // Who publishes is given its sink when it starts.
  await wait(brokers);
  const heard = newlyHeard(all, live);
  if (heard.length > 0) {
    await apply(heard);
    const [unready] = await wait(heard);
    if (unready) throw new CliError(EXIT.failed, `${unready.object} does not work yet, so nobody was told of its Broker: ${unready.why}. Run it again`);
    await sleep(settle_ms);
  }
  await apply(objects.filter(({ kind }) => kind !== 'Broker'));
  return heard;
}

/** Triggers that are new, of functions that are there: those of others cannot work before the function does. */
export function newlyHeard(all: readonly KubeObject[], live: ReadonlyMap<string, unknown>): KubeObject[] {
  return all.filter((object) => {
    if (object.kind !== 'Trigger' || live.has(keyOf(object))) return false;
    const { ref } = (object['spec'] as { subscriber: { ref: { apiVersion: string; kind: string; name: string } } }).subscriber;
    const { namespace } = object.metadata;
    return live.has(keyOf({ ...ref, metadata: { name: ref.name, ...(namespace && { namespace }) } }));
  });
}
