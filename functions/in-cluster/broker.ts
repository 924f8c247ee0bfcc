// The broker of a cluster, as the settings choose it, with its way in where events come by HTTP.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../shared/host/contract.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import { functions } from '../graph.ts';
import type { Adapters } from './adapters.ts';
import { sendText } from './server.ts';
import { type Settings, wanted } from './settings.ts';

export interface OpenBroker {
  broker: Broker;
  /** Answers the requests that come to the process. */
  respond: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;
  /** See OutboxOptions. */
  durable: boolean;
}

/** Where a function takes events from the delay queue and from a redrive. */
export function functionAddress(settings: Settings): (subscription: string) => string {
  return (subscription) => `http://${subscription}.${settings.systemNamespace}.svc.cluster.local/`;
}

export async function openBroker(settings: Settings, adapters: Pick<Adapters, 'storage'>, log: Log): Promise<OpenBroker> {
  if (settings.broker === 'jetstream') {
    const { createJetStreamBroker } = await import('../../shared/jetstream/broker.ts');
    const nats = wanted(settings.nats, 'TIDEMILL_NATS_URL');
    const subscriptions = Object.entries(functions).map(([name, { consumes }]) => ({ name, types: consumes }));
    const broker = createJetStreamBroker({ ...nats, subscriptions, log });
    return { broker, durable: true, respond: (_request, response) => sendText(response, 404, 'This function takes its events from JetStream.\n') };
  }
  const { createKnativeBroker } = await import('../../shared/knative/broker.ts');
  const { sink, overrides, s3 } = settings;
  const broker = createKnativeBroker({ sink, overrides, ...(s3 && { storage: adapters.storage, address: functionAddress(settings) }), log });
  return { broker, durable: false, respond: (request, response) => broker.handle(request, response) };
}
