// The port Broker on a Knative Broker, over HTTP. A doorbell: it keeps nothing over its own restart, so whoever publishes keeps the event until
// the publish resolved, which is when all who hear it have answered. What waits long, and what was given up, is kept in Storage.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../host/contract.ts';
import type { Broker } from '../ports/broker.ts';
import type { Storage } from '../ports/storage.ts';
import { createDead, type Dead } from './dead.ts';
import { createLater, type Later } from './later.ts';
import { createReceiver } from './receive.ts';
import { createSink } from './sink.ts';

const BACKOFF = { base_ms: 200, cap_ms: 300_000 };

export interface KnativeOptions {
  /** K_SINK. Absent: this process publishes nothing. */
  sink?: string | undefined;
  /** K_CE_OVERRIDES. */
  overrides?: string | undefined;
  /**
   * For waits of more than a few seconds, and for dead letters: opened when first needed. Absent: the broker's own retries have to do, and nothing is
   * listed or redriven here. Needs `address`.
   */
  storage?: (() => Promise<Storage>) | undefined;
  /** Where a function takes its events: http(s)://… */
  address?: ((subscription: string) => string) | undefined;
  /** How long a publish may take, handling by everyone included. Default 10 minutes. */
  timeout_ms?: number | undefined;
  /** Pauses before a failed event is tried again, where the delay queue decides. */
  backoff?: { base_ms?: number; cap_ms?: number } | undefined;
  log: Log;
}

export interface KnativeBroker extends Broker {
  /** The event endpoint: POST / where there is one subscription, POST /<subscription> where there are several. */
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** Throws when the options are wrong. Connects when first needed. */
export function createKnativeBroker(options: KnativeOptions): KnativeBroker {
  const { log } = options;
  const kept = openKept(options);
  const sink = options.sink === undefined ? undefined : createSink({ sink: options.sink, overrides: options.overrides, timeout_ms: options.timeout_ms });
  const receiver = createReceiver({
    later: kept && { put: async (...wait) => (await kept()).later.put(...wait) },
    log,
    backoff: { ...BACKOFF, ...options.backoff },
  });

  return {
    publish: async (events) => {
      if (events.length === 0) return;
      if (!sink) throw new Error('This process has nowhere to publish to: K_SINK is not set. A SinkBinding for it puts it there');
      await sink.publish(events);
    },
    subscribe: receiver.subscribe,
    handle: receiver.handle,
    deadLetters: async (page) => {
      if (!kept) throw new Error('This process was given no Storage, so it cannot list dead letters');
      return (await kept()).dead.list(page);
    },
    redrive: async (id) => {
      if (!kept) throw new Error('This process was given no Storage, so it cannot redrive dead letters');
      const { dead, later } = await kept();
      await dead.redrive(id, later);
    },
    stop: async (grace_ms) => {
      await receiver.stop(grace_ms);
      sink?.close();
    },
  };
}

function openKept({ storage, address, log }: KnativeOptions): (() => Promise<{ later: Later; dead: Dead }>) | undefined {
  if (!storage || !address) return undefined;
  let opened: Promise<{ later: Later; dead: Dead }> | undefined;
  const open = async () => {
    const dead = createDead(await storage());
    return { dead, later: createLater({ storage: await storage(), address, dead, log }) };
  };
  return () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}
