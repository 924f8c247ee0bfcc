// A watch that goes on whatever becomes of its connections: taken up where it was lost, begun anew where that place is no longer kept.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind } from '../../../objects/kinds.ts';
import { Expired, WATCH_LAG_MS, type WatchEvent, type WatchOptions } from '../../../ports/objects.ts';
import type { KubeClient } from '../../client/client.ts';
import { KubeError } from '../../client/error.ts';
import { portError } from '../errors.ts';
import { type Admit, rawPage } from '../page.ts';
import { checkKind } from '../resources.ts';
import { type Line, follow, pagesThenFollow } from './connection.ts';
import { type Known, createKnown } from './known.ts';

export interface WatchSettings {
  /** The API server ends a watch after so long, and up to half as much more so that not all end at once; it is taken up again. Default 60 s. */
  timeout_ms?: number;
  /** Still nothing so long after that: the connection is dead. Default 10 s. */
  grace_ms?: number;
  /** What may lag is asked for again after so long. Default WATCH_LAG_MS less what asking takes. */
  lag_ms?: number;
  /** Told each time that a connection was lost, before it is tried again: for a log. */
  onTrouble?: (trouble: { kind: Kind; error: Error; tries: number; wait_ms: number }) => void;
}

export type Watch = <K extends Kind>(kind: K, options: WatchOptions) => AsyncGenerator<WatchEvent<K>>;

const TIMEOUT_MS = 60_000;
const GRACE_MS = 10_000;
/** So long the API server tells of what may lag, each time: all that has changed, and, two seconds before the end, up to which version that was, if others changed. */
const ASKING_MS = 3000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;
/** A connection that ends sooner, with nothing told, has failed. */
const TOO_SHORT_MS = 500;

/** Where one watch stands. */
interface Place<K extends Kind> {
  /** Go on after this; undefined: from all there is. */
  version: string | undefined;
  /** Only without `since`, where a new beginning must tell what went in between. */
  known: Known<K> | undefined;
  /** The server tells no initial events. */
  byPages: boolean;
  /** Since something was last heard. */
  tries: number;
  everHeard: boolean;
}

export function createWatch(client: KubeClient, admit: Admit, settings: WatchSettings): Watch {
  const { timeout_ms = TIMEOUT_MS, grace_ms = GRACE_MS, lag_ms = WATCH_LAG_MS - 2 * ASKING_MS, onTrouble } = settings;

  async function* connection<K extends Kind>(kind: K, options: WatchOptions, place: Place<K>): AsyncGenerator<WatchEvent<K>> {
    const anew = place.version === undefined;
    // What there is at first may take long, and is never cut short.
    const life = options.mayLag && !anew ? ASKING_MS : timeout_ms * (1 + Math.random() / 2);
    const lifetime = { timeout_ms: life, idle_ms: life + grace_ms };
    if (anew) place.known?.begin();
    const lines = anew && place.byPages ? pagesThenFollow(client, kind, options, lifetime) : follow(client, kind, options, place.version, lifetime);
    const start = performance.now();
    let heard = false;
    for await (const line of lines) {
      heard = place.everHeard = true;
      place.tries = 0;
      yield* eventsOf(kind, line, place, admit);
      if (options.mayLag && anew && place.version !== undefined) break;
    }
    if (!heard && performance.now() - start < TOO_SHORT_MS)
      throw new KubeError({ status: 0, reason: 'NoAnswer', message: `${kind}: the watch ended as soon as it began`, uncertain: false });
    place.everHeard = true;
  }

  /** What to do about an error: returns when to go on, throws when there is no going on. */
  const recover = async (kind: Kind, options: WatchOptions, place: Place<Kind>, error: unknown): Promise<void> => {
    if (error instanceof KubeError && error.status === 410) {
      if (options.since !== undefined)
        throw new Expired(`Changes of ${kind} after version ${place.version} are no longer kept: list again, and watch from there`, { cause: error });
      // At once the first time: it is no fault.
      place.version = undefined;
      if (++place.tries === 1) return;
    } else if (isRefusedBeginning(error, place)) {
      place.byPages = true;
      return;
    } else {
      place.tries++;
    }
    if (!(error instanceof KubeError) || (!place.everHeard && isFinal(error))) throw portError(kind, { namespace: options.namespace ?? '', name: '' }, error);
    const backoff = Math.min(FIRST_WAIT_MS * 2 ** (place.tries - 1), LONGEST_WAIT_MS) * (0.5 + Math.random());
    const wait_ms = Math.max(backoff, error.retryAfter_ms ?? 0);
    onTrouble?.({ kind, error, tries: place.tries, wait_ms });
    await sleep(wait_ms, undefined, { signal: options.signal });
  };

  return async function* <K extends Kind>(kind: K, options: WatchOptions): AsyncGenerator<WatchEvent<K>> {
    checkKind(kind);
    const { signal, since } = options;
    const known = since === undefined ? createKnown(kind, admit) : undefined;
    const place: Place<K> = { version: undefined, known, byPages: false, tries: 0, everHeard: false };
    while (!signal.aborted) {
      try {
        if (since !== undefined && place.version === undefined) place.version = await checkVersion(client, kind, options, since);
        for await (const event of connection(kind, options, place)) {
          yield event;
          if (signal.aborted) return;
        }
        if (options.mayLag && place.version !== undefined) await sleep(lag_ms * (0.9 + Math.random() / 10), undefined, { signal });
      } catch (error) {
        if (signal.aborted) return;
        await recover(kind, options, place as Place<Kind>, error).catch((failure: unknown) => {
          if (!signal.aborted) throw failure;
        });
      }
    }
  };
}

function eventsOf<K extends Kind>(kind: K, line: Line, place: Place<K>, admit: Admit): WatchEvent<K>[] {
  const { known } = place;
  if (line.type === 'BOOKMARK') {
    const events = line.first && known ? known.end() : [];
    place.version = line.version;
    return [...events, { type: 'BOOKMARK', resourceVersion: line.version }];
  }
  const { type, object: raw } = line;
  // The first objects come in no order of versions: there only their end is a place to go on from.
  if (place.version !== undefined) place.version = raw.metadata.resourceVersion;
  if (known) return known.take(type, raw);
  const object = admit(kind, raw);
  return object ? [{ type, object }] : [];
}

/** A version of the future would wait in silence for as long as it takes. Throws Expired. */
async function checkVersion(client: KubeClient, kind: Kind, { namespace, signal }: WatchOptions, since: string): Promise<string> {
  const { metadata } = await rawPage(client, kind, namespace === undefined ? {} : { namespace }, { limit: 1, signal });
  if (/^\d{1,20}$/.test(since) && BigInt(since) > 0n && BigInt(since) <= BigInt(metadata.resourceVersion)) return since;
  throw new Expired(`"${since}" is no version of this cluster: list again, and watch from there`);
}

/** Older servers, and those where it is switched off, refuse to tell initial events. */
function isRefusedBeginning(error: unknown, place: Place<Kind>): boolean {
  return (
    error instanceof KubeError && place.version === undefined && !place.byPages && place.known !== undefined && (error.status === 422 || error.status === 400)
  );
}

/** Will be said again however often it is tried. */
function isFinal({ status }: KubeError): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
