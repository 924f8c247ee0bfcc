// Outboxes left behind: what an object still has to tell, and nobody told, is told again with the ids that it has, and struck.
import { leftBehind, ringOutbox } from '../../../shared/host/outbox.ts';
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';
import type { Outbox } from '../../../shared/objects/meta.ts';
import type { Duties } from '../deps.ts';
import { doubled, type Duty } from '../follow/duty.ts';

/** An object that is written again and again is waited for, so that one write strikes several entries; but only so many times as long. */
const PATIENCE = 6;

export function outboxes<K extends Kind>({ objects, broker, now, log, times: { outbox_ms } }: Duties): Duty<K> {
  return {
    name: 'outbox',
    due: (object) => {
      const waiting = entriesOf(object).flatMap(({ at, events }) => (events ? [Date.parse(at)] : []));
      if (waiting.length === 0) return undefined;
      const at = Math.min(Math.max(...waiting) + outbox_ms, Math.min(...waiting) + PATIENCE * outbox_ms);
      // A clock that is ahead of ours delays nothing for longer than that.
      return Math.min(PATIENCE * outbox_ms, Math.max(0, at - Date.parse(now())));
    },
    act: async (object, times) => {
      const before = new Date(Date.parse(now()) - outbox_ms + 1).toISOString();
      if (!leftBehind(object, before)) return outbox_ms;
      const { namespace, name } = object.metadata;
      const events = await ringOutbox(objects, object, before, { broker, log });
      log.info({ kind: object.kind, namespace, name, events }, 'told again what an object had left to tell');
      // Where it was struck, the change ends this.
      return doubled(outbox_ms, times);
    },
  };
}

function entriesOf(object: Obj): Outbox {
  return (object.status as { outbox?: Outbox } | undefined)?.outbox ?? [];
}
