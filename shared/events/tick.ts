// Ticks of a clock as events: all are of one type, that of Knative's PingSource, and say in their data which function they are for.
import type { TidemillEvent } from './event.ts';
import { beginChain, rootId } from './ids.ts';

export const TICK = 'dev.knative.sources.ping';

/** Source of the ticks for a function, as its PingSource has it. */
function tickSource(namespace: string, name: string): string {
  return `/apis/v1/namespaces/${namespace}/pingsources/${name}`;
}

/** The tick that was due at `due_ms`. Its id is derived from that: of several clocks that tell of it one is heard. */
export function tickEvent(name: string, due_ms: number, namespace: string): TidemillEvent<typeof TICK> {
  const source = tickSource(namespace, name);
  const id = rootId(due_ms, source, new Date(due_ms).toISOString());
  return {
    specversion: '1.0',
    id,
    source,
    type: TICK,
    time: new Date(due_ms).toISOString(),
    datacontenttype: 'application/json',
    ...beginChain(source, id),
    data: { tick: name },
  };
}

/** Whether it is a tick, and for another function than this: where a broker tells events apart by their types alone, it comes to all that take ticks. */
export function isTickOfAnother({ type, data }: TidemillEvent, name: string): boolean {
  return type === TICK && (data as { tick: string }).tick !== name;
}
