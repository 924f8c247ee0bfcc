import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Obj } from '../../../objects/kinds.ts';
import { type Raw, toWritten } from '../convert.ts';
import { createKnown } from './known.ts';

const NAMES = ['a', 'b', 'c'];

/** What happens in the cluster, seen or not, and what happens to the watch. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), name: fc.constantFrom(...NAMES), valid: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), name: fc.constantFrom(...NAMES) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'lose' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'resume' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'break off' as const }) },
);

test('whatever is lost in between, the reader ends with what there is, and hears of each object in an order that makes sense', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let version = 0;
      let uids = 0;
      const cluster = new Map<string, Raw & { valid: boolean }>();
      const view = new Map<string, Obj<'Lane'>>();
      const known = createKnown('Lane', (kind, raw) => ((raw as Raw & { valid: boolean }).valid ? toWritten(kind, raw) : undefined));
      const hear = (events: ReturnType<typeof known.take>) => {
        for (const event of events) {
          if (event.type === 'BOOKMARK') continue;
          const { name, uid } = event.object.metadata;
          const had = view.get(name);
          if (event.type === 'ADDED') expect(had).toBeUndefined();
          else expect(had?.metadata.uid).toBe(uid);
          if (event.type === 'DELETED') view.delete(name);
          else {
            if (event.type === 'MODIFIED') expect(event.object.metadata.resourceVersion).not.toBe(had?.metadata.resourceVersion);
            view.set(name, event.object);
          }
        }
      };
      const begin = (most = Infinity) => {
        known.begin();
        for (const raw of [...cluster.values()].slice(0, most)) hear(known.take('ADDED', raw));
        if (most === Infinity) hear(known.end());
      };
      begin();
      let connected = true;
      for (const each of steps) {
        if (each.do === 'lose') connected = false;
        else if (each.do === 'break off') begin(1);
        else if (each.do === 'resume') {
          connected = true;
          begin();
        } else {
          const there = cluster.get(each.name);
          if (each.do === 'delete' && !there) continue;
          const type = each.do === 'delete' ? 'DELETED' : there ? 'MODIFIED' : 'ADDED';
          const metadata = {
            namespace: 'default',
            name: each.name,
            uid: there?.metadata.uid ?? `uid-${++uids}`,
            resourceVersion: String(++version),
            creationTimestamp: '2026-01-02T03:04:05Z',
          };
          const raw = { metadata, spec: {}, valid: each.do === 'write' ? each.valid : there!.valid };
          if (each.do === 'delete') cluster.delete(each.name);
          else cluster.set(each.name, raw);
          if (connected) hear(known.take(type, raw));
        }
      }
      begin();
      // An object that is broken now stands as it was told last, or not at all where it never made sense.
      expect([...view.keys()].every((name) => cluster.has(name))).toBe(true);
      for (const [name, raw] of cluster) {
        if (raw.valid) expect(view.get(name)?.metadata.resourceVersion).toBe(raw.metadata.resourceVersion);
        else if (view.has(name)) expect(view.get(name)?.metadata.uid).toBe(raw.metadata.uid);
      }
    }),
    { numRuns: 1000 },
  );
});
