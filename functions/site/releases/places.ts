// Which release a host name means. `<name>` is that of the oldest project of the name, wherever it stands; `<name>.<namespace>` is always that one.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../../shared/host/contract.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Objects, Ref } from '../../../shared/ports/objects.ts';
import { oldestHome } from '../../../shared/site/oldest.ts';
import { projectOf } from '../pages.ts';
import { keepFollowing } from './keep-following.ts';

export interface Places {
  /** At once, but before all projects were seen for the first time. Undefined: no release can be called so. */
  of(host: string): Ref | undefined | Promise<Ref | undefined>;
  close(): void;
}

/** A DNS label, in lower case. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** All sites stand in one namespace. */
export function oneNamespace(namespace: string): Places {
  const of = (host: string): Ref | undefined => {
    if (LABEL.test(host)) return { namespace, name: host };
    const [name = '', ...rest] = host.split('.');
    return rest.join('.') === namespace && LABEL.test(name) ? { namespace, name } : undefined;
  };
  return { of, close: () => {} };
}

/** So long a request waits for all projects to be seen for the first time. */
const PATIENCE_MS = 10_000;

type Homes = Map<string, Map<string, string>>;

/**
 * Sites of all namespaces: where which project stands is kept by a watch, so that no request looks for it. A name that no project has is looked for in
 * `namespace`. The watch begins with the first request.
 */
export function allNamespaces({ objects, namespace: usual, log }: { objects: Pick<Objects, 'watch'>; namespace: string; log: Log }): Places {
  const closing = new AbortController();
  const synced = Promise.withResolvers<void>();
  let known: Homes | undefined;
  let started = false;

  const follow = async (): Promise<void> => {
    // What is known goes on being true until all of it has been seen again.
    const seen: Homes = new Map();
    for await (const event of objects.watch('Project', { signal: closing.signal })) {
      if (event.type === 'BOOKMARK') {
        known = seen;
        synced.resolve();
      } else if (event.type === 'DELETED') forget(seen, event.object);
      else remember(seen, event.object);
    }
  };

  const find = (homes: Homes, name: string): Ref => ({ namespace: oldestHome(homes.get(projectOf(name)) ?? []) ?? usual, name });

  const wait = async (name: string): Promise<Ref> => {
    const late = new AbortController();
    const tooLate = sleep(PATIENCE_MS, undefined, { signal: late.signal, ref: false }).then(
      () => Promise.reject(new Error(`the projects could not be read within ${PATIENCE_MS} ms`)),
      () => undefined, // it came in time
    );
    await Promise.race([synced.promise, tooLate]).finally(() => late.abort());
    return find(known!, name);
  };

  return {
    of: (host) => {
      if (!started) {
        started = true;
        void keepFollowing({ what: 'projects', follow, log, signal: closing.signal });
      }
      const dot = host.indexOf('.');
      const name = dot < 0 ? host : host.slice(0, dot);
      if (!LABEL.test(name)) return undefined;
      if (dot < 0) return known ? find(known, name) : wait(name);
      const namespace = host.slice(dot + 1);
      return LABEL.test(namespace) ? { namespace, name } : undefined;
    },
    close: () => closing.abort(),
  };
}

function remember(homes: Homes, { metadata: { name, namespace, creationTimestamp } }: Obj<'Project'>): void {
  const of = homes.get(name) ?? new Map<string, string>();
  homes.set(name, of.set(namespace, creationTimestamp));
}

function forget(homes: Homes, { metadata: { name, namespace } }: Obj<'Project'>): void {
  const of = homes.get(name);
  of?.delete(namespace);
  if (of?.size === 0) homes.delete(name);
}
