// Has the duties of a kind done: each change asks every duty, and what is due later is read again before anything is done.
import { InvalidObject, type Kind, type Obj } from '../../../shared/objects/kinds.ts';
import type { Objects, Ref } from '../../../shared/ports/objects.ts';
import { isValid } from '../changes/problems.ts';
import type { Agenda, Work } from './agenda.ts';
import type { Duty } from './duty.ts';
import type { Followed } from './follow.ts';

/** `namespace/name` */
export function idOf({ metadata }: Obj): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Undefined: it is gone, or was edited into what nobody can act on; a further change begins anew. */
async function read<K extends Kind>(objects: Pick<Objects, 'get'>, kind: K, ref: Ref): Promise<Obj<K> | undefined> {
  try {
    return await objects.get(kind, ref);
  } catch (error) {
    if (error instanceof InvalidObject) return undefined;
    throw error;
  }
}

export function attend<K extends Kind>(kind: K, duties: readonly Duty<K>[], objects: Pick<Objects, 'get'>, agenda: Agenda): Followed<K> {
  const keyOf = (duty: Duty<K>, object: Obj<K>) => `${kind} ${idOf(object)} ${duty.name}`;

  /** The object in hand serves once; kept, it would be memory for each key. */
  function workOf(duty: Duty<K>, { metadata }: Obj<K>, inHand: Obj<K> | undefined): Work {
    const { namespace, name, uid } = metadata;
    let fresh = inHand;
    let state = metadata.resourceVersion;
    let times = 0;
    return async () => {
      const object = fresh ?? (await read(objects, kind, { namespace, name }));
      const wasInHand = fresh !== undefined;
      fresh = undefined;
      if (object?.metadata.uid !== uid) return undefined;
      if (!wasInHand) {
        const due = duty.due(object, { first: false, valid: isValid(object) });
        if (due === undefined) return undefined;
        // It moved meanwhile, and is to be left alone for as long again.
        if (object.metadata.resourceVersion !== state) {
          state = object.metadata.resourceVersion;
          times = 0;
          if (due > 0) return due;
        }
      }
      const again = await duty.act(object, times);
      times += 1;
      return again ?? undefined;
    };
  }

  return {
    changed(object, first) {
      const valid = isValid(object);
      for (const duty of duties) {
        const key = keyOf(duty, object);
        const wait = duty.due(object, { first, valid });
        if (wait === undefined) agenda.drop(key);
        else agenda.put(key, wait, workOf(duty, object, wait <= 0 && !first ? object : undefined));
      }
    },
    gone(object) {
      for (const duty of duties) agenda.drop(keyOf(duty, object));
    },
  };
}
