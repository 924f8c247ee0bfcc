// What a bench stands on in a cluster: a client, names of its own, and an end that puts everything back, also when it is interrupted.
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { fromEnv } from '../../cluster/env.ts';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';

export interface Ground {
  client: KubeClient;
  log: (line: string) => void;
  /** Begins every name that this run makes. */
  id: string;
  /** To be undone at the end, the last first, whatever happens. Returns how to do it now; it is done once. */
  later(what: string, undo: () => Promise<unknown>): () => Promise<void>;
  /** What `work` has to be undone is undone when it ends. */
  scoped<T>(work: () => Promise<T>): Promise<T>;
  /** A namespace of this run's own, taken away at the end. */
  namespace(word: string): Promise<string>;
}

const EXIT = { SIGINT: 130, SIGTERM: 143 } as const;

export async function onGround<T>(log: (line: string) => void, work: (ground: Ground) => Promise<T>): Promise<T> {
  fromEnv('KUBECONFIG');
  const client = createKubeClient({ connect: anywhere(), userAgent: 'tidemill-bench' });
  const undone: { what: string; undo: () => Promise<void> }[] = [];
  let ending: Promise<void> | undefined;
  const end = () => (ending ??= undoFrom(0, undone, log));
  const listeners = Object.entries(EXIT).map(([signal, code]) => {
    const stop = () => {
      log(`${signal}: putting everything back`);
      void end().finally(() => process.exit(code));
    };
    process.on(signal, stop);
    return () => process.removeListener(signal, stop);
  });
  const later: Ground['later'] = (what, undo) => {
    let done: Promise<void> | undefined;
    const once = () => (done ??= undo().then(() => undefined));
    undone.push({ what, undo: once });
    return once;
  };
  const id = `bench-${randomBytes(3).toString('hex')}`;
  const namespace = async (word: string) => {
    const name = `${id}-${word}`;
    later(`namespace ${name}`, () => remove(client, `/api/v1/namespaces/${name}`));
    await client.request('POST', '/api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } });
    return name;
  };
  const scoped: Ground['scoped'] = async (part) => {
    const from = undone.length;
    try {
      return await part();
    } finally {
      await (ending ?? undoFrom(from, undone, log));
    }
  };
  try {
    return await work({ client, log, id, later, scoped, namespace });
  } finally {
    await end();
    for (const stop of listeners) stop();
    client.close();
  }
}

async function undoFrom(from: number, undone: { what: string; undo: () => Promise<void> }[], log: (line: string) => void): Promise<void> {
  while (undone.length > from) {
    const { what, undo } = undone.at(-1)!;
    try {
      await undo();
    } catch (error) {
      // What comes after it is put back all the same.
      log(`${what} could not be put back: ${(error as Error).message}`);
    }
    undone.pop();
  }
}

/** Gone when this resolves, or on its way; what is not there is gone. */
export async function remove(client: KubeClient, path: string, query: Record<string, string> = {}): Promise<void> {
  try {
    await client.request('DELETE', path, { query, timeout_ms: 120_000 });
  } catch (error) {
    if (!(error instanceof KubeError && error.status === 404)) throw error;
  }
}
