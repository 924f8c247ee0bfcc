// A change that is safe to make again: read, decide, compare-and-swap, and from the start when somebody else was faster.
import type { Kind, NewObj, Obj, StatusOf } from '../objects/kinds.ts';
import { AlreadyExists, Conflict, NotFound, type Objects, type Ref } from '../ports/objects.ts';

const MAX_TRIES = 50;

/**
 * Changes an object's status by a pure decision; `undefined` from it leaves the object alone.
 * `known`: the object as it was read just now, which saves reading it again. Throws NotFound; Conflict when others were faster fifty times.
 */
export async function modifyStatus<K extends Kind>(
  objects: Objects,
  kind: K,
  ref: Ref,
  decide: (object: Obj<K>) => StatusOf<K> | undefined,
  known?: Obj<K>,
): Promise<Obj<K>> {
  for (let tries = 1; ; tries++) {
    const object = tries === 1 && known ? known : await objects.get(kind, ref);
    if (!object) throw new NotFound(kind, ref);
    const status = decide(object);
    if (!status) return object;
    try {
      return await objects.updateStatus({ ...object, status });
    } catch (error) {
      if (!(error instanceof Conflict) || tries >= MAX_TRIES) throw error;
    }
  }
}

/** Creates the object unless one of its name is there, and gives back the one that is there then. */
export async function ensure<K extends Kind>(objects: Objects, object: NewObj<K>): Promise<Obj<K>> {
  const ref = { namespace: object.metadata.namespace, name: object.metadata.name };
  return (await objects.get(object.kind, ref)) ?? (await ensureNew(objects, object)).object;
}

/** The same, for one that is most likely not there yet: it is not looked for first. `isNew`: it was made now. */
export async function ensureNew<K extends Kind>(objects: Objects, object: NewObj<K>): Promise<{ object: Obj<K>; isNew: boolean }> {
  const ref = { namespace: object.metadata.namespace, name: object.metadata.name };
  try {
    return { object: await objects.create(object), isNew: true };
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error;
    const made = await objects.get(object.kind, ref);
    if (!made) throw error;
    return { object: made, isNew: false };
  }
}

/** Every object of a list, page by page. */
export async function* eachObject<K extends Kind>(
  objects: Objects,
  kind: K,
  options: { namespace?: string; labels: Record<string, string>; mayLag?: boolean },
): AsyncGenerator<Obj<K>> {
  let page = await objects.list(kind, options);
  yield* page.items;
  while (page.continue) {
    page = await objects.list(kind, { ...options, continue: page.continue });
    yield* page.items;
  }
}
