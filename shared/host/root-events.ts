// Root events: what begins a chain without a cause of its own, such as a request of the API.
import type { Output, TidemillEvent } from '../events/event.ts';
import { parseData } from '../events/event.ts';
import { beginChain, rootId } from '../events/ids.ts';
import type { Broker } from '../ports/broker.ts';

/** The same key again gives the same events, which the broker drops. */
export function createPublish(broker: Broker, now: () => string, source = '/functions/api') {
  return async (outputs: Output[], options: { key: string; chainid?: string }): Promise<TidemillEvent[]> => {
    const events = outputs.map((output) => rootEvent(output, source, options, now()));
    await broker.publish(events);
    return events;
  };
}

function rootEvent(output: Output, source: string, { key, chainid }: { key: string; chainid?: string }, time: string): TidemillEvent {
  const id = rootId(0, source, key, output.type, output.key ?? output.subject ?? '');
  return {
    specversion: '1.0',
    id,
    source,
    type: output.type,
    ...(output.subject && { subject: output.subject }),
    time,
    datacontenttype: 'application/json',
    ...beginChain(source, id, chainid),
    data: parseData(output.type, output.data),
  };
}
