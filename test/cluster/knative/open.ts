// Brokers on one Knative Broker, one for each test: every event carries the mark of its test, and what is left of an earlier one is answered and dropped.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDeadLetters } from '../../../functions/dead-letters/dead-letters.ts';
import { createKnativeBroker, type KnativeBroker } from '../../../shared/knative/broker.ts';
import { createDead } from '../../../shared/knative/dead.ts';
import { createLater } from '../../../shared/knative/later.ts';
import type { Subscription } from '../../../shared/ports/broker.ts';
import { createFsStorage } from '../../../shared/storage/fs.ts';
import type { OpenBroker } from '../../contracts/broker.ts';

/** With the mark that its events carry, for a test that posts one by itself. */
export interface OpenKnative extends OpenBroker {
  mark: string;
  reopen(): Promise<OpenKnative>;
}

const log = { info: () => {}, warn: () => {}, error: () => {} };
const TICK_MS = 50;
const MARK = 'testmark';

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

export interface Subscribers {
  port: number;
  /** Who has the events that carry this mark. */
  marked: Map<string, Handle>;
  close(): Promise<void>;
}

/** The address behind all Triggers: /<subscription>, and /dead-letters. */
export async function startSubscribers(): Promise<Subscribers> {
  const marked = new Map<string, Handle>();
  const server = await listen((request, response) => {
    const handle = marked.get(String(request.headers[`ce-${MARK}`]));
    if (handle) handle(request, response);
    else response.writeHead(202).end();
  });
  return { port: portOf(server), marked, close: () => end(server) };
}

export async function openKnative(sink: string, subscribers: Subscribers): Promise<OpenKnative> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-knative-'));
  const storage = createFsStorage({ directory: folder });
  const mark = randomBytes(8).toString('hex');
  const dead = createDead(storage);
  const keepDead = createDeadLetters({ dead, log, now: () => new Date().toISOString() });

  const open = async (): Promise<OpenKnative> => {
    const wanted = new Map<string, readonly string[]>();
    // What the delay queue delivers comes straight to the process, as in a cluster.
    const server = await listen((request, response) => broker.handle(request, response));
    const address = (subscription: string) => `http://127.0.0.1:${portOf(server)}/${subscription}`;
    const broker: KnativeBroker = createKnativeBroker({
      sink,
      overrides: JSON.stringify({ extensions: { [MARK]: mark } }),
      storage: async () => storage,
      address,
      backoff: { base_ms: 20, cap_ms: 200 },
      log,
    });
    const later = createLater({ storage, address, dead, log });
    const tick = setInterval(() => void later.deliverDue(Date.now()), TICK_MS);
    subscribers.marked.set(mark, (request, response) => {
      const name = (request.url ?? '').slice(1);
      if (name === 'dead-letters') return keepDead(request, response);
      // A Trigger that no subscription made, or whose filter does not match.
      if (!wanted.get(name)?.includes(String(request.headers['ce-type']))) return response.writeHead(202).end();
      return broker.handle(request, response);
    });
    const stop = async (grace_ms: number) => {
      clearInterval(tick);
      await broker.stop(grace_ms);
      later.close();
      await end(server);
    };
    const port: KnativeBroker = {
      ...broker,
      subscribe: (subscription: Subscription, deliver) => {
        wanted.set(subscription.name, subscription.types);
        broker.subscribe(subscription, deliver);
      },
    };
    return {
      mark,
      broker: port,
      reopen: async () => {
        await stop(0);
        return open();
      },
      close: async () => {
        subscribers.marked.delete(mark);
        await stop(500);
        await rm(folder, { recursive: true, force: true });
      },
    };
  };
  return open();
}

async function listen(handle: Handle): Promise<Server> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
