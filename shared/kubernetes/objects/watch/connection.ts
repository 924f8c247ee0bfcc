// One connection of a watch, until it ends or is lost.
import type { Kind } from '../../../objects/kinds.ts';
import type { WatchOptions } from '../../../ports/objects.ts';
import type { KubeClient } from '../../client/client.ts';
import { KubeError } from '../../client/error.ts';
import type { Raw } from '../convert.ts';
import { rawPage } from '../page.ts';
import { listPath, selector } from '../resources.ts';

export type Line =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: Raw }
  /** Nothing else up to this version. `first`: all that was there at the beginning has been told. */
  | { type: 'BOOKMARK'; version: string; first: boolean };

export interface Lifetime {
  /** After so long the server is to end the connection. */
  timeout_ms: number;
  /** Nothing for so long: the connection is dead. */
  idle_ms: number;
}

interface Wire {
  type?: string;
  object?: Raw & { code?: number; message?: string; reason?: string };
}

const INITIAL_END = 'k8s.io/initial-events-end';
const PAGE = 500;

/** What is told from a version on, or (without one) of all there is and from then on. Throws KubeError; of status 410 where the version is no longer kept. */
export async function* follow(client: KubeClient, kind: Kind, options: WatchOptions, version: string | undefined, lifetime: Lifetime): AsyncGenerator<Line> {
  const query = {
    watch: true,
    allowWatchBookmarks: true,
    timeoutSeconds: Math.max(1, Math.round(lifetime.timeout_ms / 1000)),
    ...selector(options.labels),
    ...(version === undefined ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' } : { resourceVersion: version }),
  };
  for await (const text of client.stream(listPath(kind, options.namespace), { query, signal: options.signal, idle_ms: lifetime.idle_ms })) {
    yield lineOf(kind, text);
  }
}

/** The same where the server has no initial events to tell: pages first, then from their version on. */
export async function* pagesThenFollow(client: KubeClient, kind: Kind, options: WatchOptions, lifetime: Lifetime): AsyncGenerator<Line> {
  let version: string | undefined;
  let token: string | undefined;
  do {
    const page = await rawPage(client, kind, options, { limit: PAGE, token, signal: options.signal });
    version ??= page.metadata.resourceVersion;
    token = page.metadata.continue || undefined;
    for (const object of page.items) yield { type: 'ADDED', object };
  } while (token);
  yield { type: 'BOOKMARK', version, first: true };
  yield* follow(client, kind, options, version, lifetime);
}

function lineOf(kind: Kind, text: string): Line {
  const { type, object } = parse(kind, text);
  if (!object || !type) throw lost(kind, 'what it told has no type or no object');
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') return { type, object };
  if (type === 'BOOKMARK') return { type, version: object.metadata.resourceVersion, first: object.metadata.annotations?.[INITIAL_END] === 'true' };
  const { code = 0, reason = 'WatchError', message = 'no reason given' } = object;
  throw new KubeError({ status: code, reason, message: `${kind}: the watch ended: ${message}`, uncertain: false });
}

function parse(kind: Kind, text: string): Wire {
  try {
    return JSON.parse(text) as Wire;
  } catch {
    throw lost(kind, 'it broke off within an event');
  }
}

function lost(kind: Kind, why: string): KubeError {
  return new KubeError({ status: 0, reason: 'NoAnswer', message: `${kind}: the watch was lost: ${why}`, uncertain: false });
}
