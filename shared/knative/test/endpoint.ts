// A function's event endpoint on a free port, with its delay queue and dead letters in a folder of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Storage } from '../../ports/storage.ts';
import { createFsStorage } from '../../storage/fs.ts';
import { createKnativeBroker, type KnativeBroker, type KnativeOptions } from '../broker.ts';
import { createDead, type Dead } from '../dead.ts';
import { createLater, type Later } from '../later.ts';

export const quiet = { info: () => {}, warn: () => {}, error: () => {} };

export interface Endpoint {
  broker: KnativeBroker;
  url: string;
  storage: Storage;
  later: Later;
  dead: Dead;
  close(): Promise<void>;
}

export async function openEndpoint(options: Partial<KnativeOptions> = {}): Promise<Endpoint> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-knative-'));
  const storage = createFsStorage({ directory: folder });
  const server = createServer((request, response) => broker.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const address = (name: string) => url + name;
  const broker = createKnativeBroker({ log: quiet, storage: async () => storage, address, ...options });
  const dead = createDead(storage);
  const later = createLater({ storage, address, dead, log: quiet });
  return {
    broker,
    url,
    storage,
    later,
    dead,
    close: async () => {
      await broker.stop(100);
      later.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Answered {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  text: string;
}

/** With the headers exactly as given, repeated ones too. */
export function post(url: string, headers: Record<string, string | string[]>, body: string | Buffer, method = 'POST'): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = send(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.on('error', reject).end(body);
  });
}
