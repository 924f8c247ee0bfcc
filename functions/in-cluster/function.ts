// One event function as a process of a cluster: it takes its events from the broker, handles each, and ends when it is told to.
import type { Ports } from '../../shared/host/contract.ts';
import { type AnyHandler, type Entry, startHost } from '../../shared/host/host.ts';
import { beginWithOutbox } from '../../shared/host/outbox.ts';
import { type FunctionName, functions } from '../graph.ts';
import { type Adapters, openAdapters } from './adapters.ts';
import { openBroker } from './broker.ts';
import { runProcess } from './process.ts';

export async function runFunction(name: FunctionName, handle: unknown): Promise<void> {
  await runProcess(name, async ({ settings, log, now, server }) => {
    const entry: Entry = functions[name];
    const adapters = openAdapters(settings, log);
    if (entry.needs.includes('objects')) beforeItIsNeeded(name, adapters);
    const ports = await portsOf(entry, adapters);
    const { broker, respond, durable } = await openBroker(settings, adapters, log);
    startHost({
      functions: { [name]: entry },
      load: async () => handle as AnyHandler,
      ports: ports as Ports,
      broker,
      begin: beginWithOutbox({ broker, durable, now, log }),
      log,
      now,
      home: settings.systemNamespace,
    });
    server.open(respond);
    return {
      stop: async (grace_ms) => {
        await broker.stop(grace_ms);
        adapters.client.close();
      },
    };
  });
}

/** What every event begins with: the way to the API server, opened while the rest is being loaded. Who looks in all namespaces learns by it which are ours. */
function beforeItIsNeeded(name: FunctionName, { client, namespaces }: Adapters): void {
  const first = name === 'git-push' ? namespaces.all() : client.text('/version');
  first.catch(() => undefined); // the first event finds out what is wrong, and says so
}

async function portsOf({ needs }: Entry, adapters: Adapters): Promise<Partial<Ports>> {
  const open: Record<keyof Ports, () => Promise<unknown>> = { ...adapters, objects: async () => adapters.objects };
  const opened = await Promise.all(needs.map(async (need) => [need, await open[need]()] as const));
  return Object.fromEntries(opened);
}
