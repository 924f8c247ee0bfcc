// The events that tell of moved refs. Their ids are derived, so that telling again after a crash tells nothing new.
import { isTag } from '../../shared/decisions/names.ts';
import { canonicalRepository } from '../../shared/decisions/source/repository.ts';
import { type EventOf, type TidemillEvent, parseEvent } from '../../shared/events/event.ts';
import { beginChain, hash, rootId } from '../../shared/events/ids.ts';
import type { EventData } from '../../shared/events/types.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import type { edges } from '../graph.ts';
import type { Move } from './decide.ts';

export type WatchEvent = EventOf<(typeof edges)['repository-watch']['emits'][number]>;

export interface Telling {
  /** As the project spells it. */
  url: string;
  /** Milliseconds; 0 where nobody knows. */
  commitTime: number;
  /** What was recorded before, and how often this process told this very move: with them two equal moves, one after the other, are two events. */
  occasion: string;
  now: string;
}

export function pushEvent(move: Move, telling: Telling): WatchEvent {
  const data = { repository: telling.url, ref: move.ref, before: move.before, after: move.after, teller: 'poll' as const };
  return event(isTag(move.ref) ? 'dev.tidemill.git.tag.v1' : 'dev.tidemill.git.push.v1', data, move.ref, telling, [move.ref, move.before, move.after]);
}

export function deletedEvent(ref: string, before: string, telling: Telling): WatchEvent {
  const data = { repository: telling.url, ref, before, teller: 'poll' as const };
  return event('dev.tidemill.git.branch-deleted.v1', data, ref, telling, [ref, before, 'deleted']);
}

/** The commit was pushed and told before the project was there: only this project is to build it. */
export function firstBuildEvent(project: Obj<'Project'>, ref: string, sha: string, telling: Telling): WatchEvent {
  const { name, namespace, uid } = project.metadata;
  return event('dev.tidemill.execution.requested.v1', { namespace, project: name, ref, trigger: 'poll' }, name, telling, [uid, ref, sha, 'first']);
}

function event<T extends WatchEvent['type']>(type: T, data: EventData<T>, subject: string, telling: Telling, parts: string[]): WatchEvent {
  const source = sourceOf(telling.url);
  const id = rootId(telling.commitTime, 'poll', canonicalRepository(telling.url), ...parts, telling.occasion);
  const made: TidemillEvent<T> = {
    specversion: '1.0',
    id,
    source,
    type,
    ...(subject.length <= 512 && { subject }),
    time: telling.now,
    datacontenttype: 'application/json',
    ...beginChain(source, id),
    data,
  };
  return parseEvent(made) as WatchEvent;
}

const MAX_SOURCE = 400;

/** The repository's canonical address as a URI; a hash of it where it is too long for one. */
function sourceOf(url: string): string {
  const canonical = canonicalRepository(url);
  const uri = canonical.startsWith('/') ? `file://${encodeURI(canonical.toWellFormed()).replace(/[?#[\]]/g, encodeURIComponent)}` : canonical;
  return uri.length <= MAX_SOURCE ? uri : `/repositories/${hash(uri)}`;
}
