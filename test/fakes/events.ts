// Events as tellers send them, checked as the host checks them.
import { parseEvent, type TidemillEvent } from '../../shared/events/event.ts';
import { hash } from '../../shared/events/ids.ts';
import type { EventData, EventType } from '../../shared/events/types.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import { taskRunEvent, endState } from '../../shared/runner/events.ts';

export const REPOSITORY = 'https://git.example.org/acme/site.git';
export const NONE = '0'.repeat(40);

/** A full SHA of one letter: sha('a') is aaaa… */
export const sha = (letter: string) => letter.repeat(40);

/** Minutes after ten o'clock. */
export const minute = (n: number) => new Date(Date.UTC(2026, 10, 3, 10, n)).toISOString();

/** An event with an id of its content, or of `id` where two tellers say the same. */
export function eventOf<T extends EventType>(type: T, data: EventData<T>, id?: string): TidemillEvent<T> {
  const event = {
    specversion: '1.0',
    id: id ?? hash(type, JSON.stringify(data)),
    source: '/test',
    type,
    time: minute(0),
    datacontenttype: 'application/json',
    chainid: 'c0ffee00-0000-4000-8000-000000000000',
    data,
  };
  return parseEvent(JSON.parse(JSON.stringify(event))) as TidemillEvent<T>;
}

interface Told {
  before?: string;
  after?: string;
  branch?: string;
  /** Absent for a poll. */
  pushedAt?: string | undefined;
  id?: string;
  by?: string;
  repository?: string;
}

const refChange = ({ before = NONE, branch = 'main', pushedAt, repository = REPOSITORY, by }: Told, ref = `refs/heads/${branch}`) => ({
  repository,
  ref,
  before,
  teller: pushedAt ? ('webhook' as const) : ('poll' as const),
  ...(pushedAt && { pushedAt }),
  ...(by && { by }),
});

export const pushEvent = (told: Told = {}) => eventOf('dev.tidemill.git.push.v1', { ...refChange(told), after: told.after ?? sha('a') }, told.id);

export const tagEvent = (tag: string, told: Told = {}) =>
  eventOf('dev.tidemill.git.tag.v1', { ...refChange(told, `refs/tags/${tag}`), after: told.after ?? sha('a') }, told.id);

export const deletedEvent = (branch: string, told: Told = {}) =>
  eventOf('dev.tidemill.git.branch-deleted.v1', refChange({ ...told, before: told.before ?? sha('a'), branch }), told.id);

export const taskRunEnded = (taskRun: Obj<'TaskRun'>) => parseEvent(JSON.parse(JSON.stringify(taskRunEvent(taskRun, endState(taskRun)))));
