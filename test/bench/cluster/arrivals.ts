// When TaskRuns came to be, as a watch tells it: the same eye for all that are compared.
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';

export interface Arrivals {
  /** Resolves with the time (performance.now()) at which a TaskRun of this name was there. Rejects after so long. */
  of(name: string, limit_ms?: number): Promise<number>;
  close(): void;
}

interface Named {
  metadata: { name: string };
}

interface List {
  metadata: { resourceVersion: string };
  items: Named[];
}

const LIMIT_MS = 60_000;

/** Of one namespace, from now on. */
export async function watchArrivals(client: KubeClient, namespace: string): Promise<Arrivals> {
  const path = `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns`;
  const seen = new Map<string, number>();
  const waiting = new Map<string, (at: number) => void>();
  const stop = new AbortController();
  const saw = ({ metadata: { name } }: Named, at: number) => {
    if (seen.has(name)) return;
    seen.set(name, at);
    waiting.get(name)?.(at);
  };
  const list = async () => {
    const { metadata, items } = await client.request<List>('GET', path);
    for (const item of items) saw(item, performance.now());
    return metadata.resourceVersion;
  };
  const follow = async (resourceVersion: string): Promise<void> => {
    const query = { watch: true, resourceVersion, allowWatchBookmarks: true };
    for await (const line of client.stream(path, { query, signal: stop.signal })) {
      // Only what is new is looked into: reading every change of every TaskRun would be work of the one who measures.
      if (line.startsWith('{"type":"ADDED"')) saw((JSON.parse(line) as { object: Named }).object, performance.now());
      else if (line.startsWith('{"type":"ERROR"')) break;
    }
    // Ended by the server: what came meanwhile is seen a little late.
    await follow(await list());
  };
  let failed: Error | undefined;
  follow(await list()).catch((error: unknown) => (failed = error as Error));
  return {
    of: (name, limit_ms = LIMIT_MS) =>
      new Promise((resolve, reject) => {
        const there = seen.get(name);
        if (there !== undefined) return resolve(there);
        const timer = setTimeout(() => reject(new Error(`No TaskRun ${name} within ${limit_ms / 1000} s${failed ? `: ${failed.message}` : ''}`)), limit_ms);
        waiting.set(name, (at) => {
          clearTimeout(timer);
          waiting.delete(name);
          resolve(at);
        });
      }),
    close: () => stop.abort(new Error('closed')),
  };
}
