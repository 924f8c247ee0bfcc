// What goes out, checked as what comes in is: a field that no schema names never leaves the server.
import { z } from 'zod';
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';
import type { Objects } from '../../../shared/ports/objects.ts';
import type { Api } from '../deps.ts';
import { Problem } from './problem.ts';

/** Objects read for one page, at most, when a filter has no index. */
const SCAN_LIMIT = 1000;

export const list = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    /** Give it back as ?continue= for the next page; absent: this was the last. A page may be short, or empty, and still not the last. */
    continue: z.string().optional(),
  });

/** The value as the schema has it, as JSON. */
export function reply<T extends z.ZodType>(schema: T, value: z.input<T>, status = 200): Response {
  return Response.json(schema.parse(value), { status });
}

/** The object of this name. Throws Problem 404. */
export async function find<K extends Kind>(api: Api, kind: K, name: string): Promise<Obj<K>> {
  const object = await api.objects.get(kind, { namespace: api.namespace, name });
  if (!object) throw missing(kind, name);
  return object;
}

export function missing(kind: string, name: string): Problem {
  const shown = name.length > 253 ? `${name.slice(0, 253)}…` : name;
  return new Problem(404, 'not-found', `There is no ${kind.toLowerCase()} "${shown}".`);
}

interface Search<K extends Kind> {
  labels?: Record<string, string>;
  limit: number;
  continue?: string | undefined;
  /** Default: all. */
  keep?: (object: Obj<K>) => boolean;
}

/** One page, newest first. What the labels do not decide is decided by `keep`, over a bounded number of objects. */
export async function newest<K extends Kind>(api: Api, kind: K, search: Search<K>): Promise<{ items: Obj<K>[]; continue?: string }> {
  const items: Obj<K>[] = [];
  let next = search.continue;
  for (let read = 0; read < SCAN_LIMIT;) {
    const wanted = search.limit - items.length;
    const page = await readPage(api.objects, kind, api.listed, search.labels, wanted, next);
    read += wanted;
    items.push(...(search.keep ? page.items.filter(search.keep) : page.items));
    next = page.continue;
    if (!next || items.length === search.limit) break;
  }
  return { items, ...(next !== undefined && { continue: next }) };
}

function readPage<K extends Kind>(
  objects: Objects,
  kind: K,
  namespace: string | undefined,
  labels: Record<string, string> | undefined,
  limit: number,
  next: string | undefined,
) {
  return objects.list<K>(kind, {
    ...(namespace !== undefined && { namespace }),
    limit,
    order: 'newest',
    ...(labels && { labels }),
    ...(next !== undefined && { continue: next }),
  });
}
