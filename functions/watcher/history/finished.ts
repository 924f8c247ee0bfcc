// The executions that have ended, by name and time alone, and which of them are to be archived next.
import { isTerminal } from '../../../shared/decisions/execution.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Ref } from '../../../shared/ports/objects.ts';

export interface Limits {
  /** What ended longer ago is archived. Milliseconds. */
  keep_ms: number;
  /** Of each namespace no more than these that ended stay objects. */
  most: number;
}

export interface Finished {
  changed(execution: Obj<'Execution'>): void;
  gone(execution: Ref): void;
  /** Cannot be archived yet: others are picked before that time (milliseconds). */
  postpone(execution: Ref, until: number): void;
  /** The oldest that are over the limits, at most so many. `now`: milliseconds. */
  pick(now: number, limits: Limits, count: number): Ref[];
}

interface Entry {
  ended: number;
  notBefore: number;
}

export function createFinished(): Finished {
  const byNamespace = new Map<string, Map<string, Entry>>();

  const gone = ({ namespace, name }: Ref) => {
    const names = byNamespace.get(namespace);
    names?.delete(name);
    if (names?.size === 0) byNamespace.delete(namespace);
  };

  return {
    changed(execution) {
      const { namespace, name, creationTimestamp } = execution.metadata;
      if (!isTerminal(execution.status)) return gone(execution.metadata);
      const names = byNamespace.get(namespace) ?? new Map<string, Entry>();
      byNamespace.set(namespace, names);
      names.set(name, { ended: Date.parse(execution.status!.ended ?? creationTimestamp), notBefore: 0 });
    },
    gone,
    postpone: ({ namespace, name }, until) => {
      const entry = byNamespace.get(namespace)?.get(name);
      if (entry) entry.notBefore = until;
    },
    pick(now, { keep_ms, most }, count) {
      const picked: (Ref & { ended: number })[] = [];
      for (const [namespace, names] of byNamespace) {
        const sorted = [...names].toSorted(([, a], [, b]) => a.ended - b.ended);
        const over = Math.max(0, sorted.length - most);
        for (const [index, [name, { ended, notBefore }]] of sorted.entries()) {
          if (index >= over && ended > now - keep_ms) break;
          if (notBefore <= now) picked.push({ namespace, name, ended });
        }
      }
      return picked
        .toSorted((a, b) => a.ended - b.ended)
        .slice(0, count)
        .map(({ namespace, name }) => ({ namespace, name }));
    },
  };
}
