// Objects as one installation sees them: those of the namespaces that were made ready for its projects, and the pushes that it was told of.
// Two installations share a cluster so, and what stands in a namespace that was not made ready is left alone.
import type { Kind, Obj } from '../../objects/kinds.ts';
import type { Objects, WatchEvent, WatchOptions } from '../../ports/objects.ts';
import type { Prepared } from './prepared.ts';

/**
 * Lists and watches of no single namespace give what stands in those. A watch ends when there are others, and is begun anew by who wants to know of
 * those too. A page may come out short. Where the namespaces are followed, `get` finds nothing outside of them. `home`: where Pushes stand.
 */
export function within(objects: Objects, prepared: Prepared, home: string): Objects {
  const { followed } = prepared;
  const belongs = (kind: Kind, namespace: string, names: { has(namespace: string): boolean }) => (kind === 'Push' ? namespace === home : names.has(namespace));

  async function* watch<K extends Kind>(kind: K, options: WatchOptions): AsyncGenerator<WatchEvent<K>> {
    const changed = followed?.changed();
    const names = await prepared.all();
    const signal = changed ? AbortSignal.any([options.signal, changed]) : options.signal;
    for await (const event of objects.watch(kind, { ...options, signal }))
      if (event.type === 'BOOKMARK' || belongs(kind, event.object.metadata.namespace, names)) yield event;
  }

  return {
    ...objects,
    get: async (kind, ref, options) => (followed && !belongs(kind, ref.namespace, followed) ? undefined : objects.get(kind, ref, options)),
    list: async <K extends Kind>(kind: K, options: Parameters<Objects['list']>[1] = {}) => {
      if (options.namespace !== undefined) return objects.list(kind, options);
      if (kind === 'Push') return objects.list(kind, { ...options, namespace: home });
      const [names, page] = await Promise.all([prepared.all(!options.mayLag), objects.list(kind, options)]);
      return { ...page, items: page.items.filter((object: Obj<K>) => names.has(object.metadata.namespace)) };
    },
    watch: (kind, options) => {
      if (options.namespace !== undefined) return objects.watch(kind, options);
      return kind === 'Push' ? objects.watch(kind, { ...options, namespace: home }) : watch(kind, options);
    },
  };
}
