// What every adapter of the port Objects promises. An adapter's test calls this with a way to open an empty one.
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidObject, type Kind, type NewObj, type Obj } from '../../shared/objects/kinds.ts';
import { AlreadyExists, Conflict, Expired, type ListOptions, NotFound, type Objects, type WatchEvent, type WatchOptions } from '../../shared/ports/objects.ts';
import { when } from './when.ts';

export interface OpenObjects {
  objects: Objects;
  /** Two empty namespaces to work in, in this order of names; default: "default" and "other". */
  namespaces?: readonly [string, string];
  /** Labels that every object of the contract is to bear, and that its lists and watches of all namespaces ask for: where others have objects too. */
  marker?: Record<string, string>;
  close(): Promise<void>;
}

export interface ObjectsCapabilities {
  /** So many changes later, at most, a watch from before them throws Expired; absent: the adapter cannot be made to forget. */
  forgetsAfter?: number;
  /** Lists can be had newest first from the backend. */
  newestFirst: boolean;
  /** Objects made within so long of one another may count as equally old. */
  creationResolution_ms?: number;
}

const laneStatus = (last: number): NonNullable<Obj<'Lane'>['status']> => ({ mode: 'queue', slots: 1, last, running: [], waiting: [], recent: [] });
const hookStatus = (attempts: number): NonNullable<Obj<'Hook'>['status']> => ({
  deliveries: [{ event: 'e', type: 't', at: '2026-01-02T03:04:05Z', attempts, outcome: 'retrying' }],
});

/** What is to be told comes within so long, however slow the machine. */
const PATIENCE = { timeout: 20_000 };

export function objectsContract(adapter: string, open: () => Promise<OpenObjects>, can: ObjectsCapabilities): void {
  describe(`Objects: ${adapter}`, () => {
    let opened: OpenObjects;
    let objects: Objects;
    let home: string;
    let away: string;
    const stops: AbortController[] = [];

    beforeEach(async () => {
      opened = await open();
      objects = opened.objects;
      [home, away] = opened.namespaces ?? ['default', 'other'];
    });
    afterEach(async () => {
      for (const stop of stops.splice(0)) stop.abort();
      await opened.close();
    });

    const metadata = (name: string, labels?: Record<string, string>, namespace = home) => {
      const all = { ...opened.marker, ...labels };
      return { name, namespace, ...(Object.keys(all).length > 0 && { labels: all }) };
    };
    const lane = (name: string, labels?: Record<string, string>, namespace?: string): NewObj<'Lane'> => ({
      kind: 'Lane',
      metadata: metadata(name, labels, namespace),
      spec: { project: 'example', ref: 'refs/heads/main' },
    });
    const hook = (name: string, labels?: Record<string, string>): NewObj<'Hook'> => ({
      kind: 'Hook',
      metadata: metadata(name, labels),
      spec: { url: 'https://example.com/', secret: 's' },
    });

    /** Of all namespaces only what is this test's. */
    const mine = ({ namespace, labels }: Pick<ListOptions, 'namespace' | 'labels'> = {}) =>
      namespace === undefined && opened.marker ? { labels: { ...opened.marker, ...labels } } : {};
    const names = async (options: ListOptions) => (await objects.list('Lane', { ...options, ...mine(options) })).items.map((item) => item.metadata.name);

    /** Reads a watch in the background; what it told so far stands in `seen`. */
    const follow = <K extends Kind>(kind: K, options: Omit<WatchOptions, 'signal'>) => {
      const stop = new AbortController();
      stops.push(stop);
      const seen: WatchEvent<K>[] = [];
      const ended = (async () => {
        for await (const event of objects.watch(kind, { ...options, ...mine(options), signal: stop.signal })) seen.push(event);
      })();
      ended.catch(() => {
        // Those who expect an error await `ended` themselves.
      });
      const told = () => seen.flatMap((event) => (event.type === 'BOOKMARK' ? [] : [`${event.type} ${event.object.metadata.name}`]));
      return { seen, told, ended, stop: () => stop.abort() };
    };

    describe('create and get', () => {
      it('gives back what was created, with uid, version, generation and time', async () => {
        const created = await objects.create({ ...lane('a', { x: '1' }), status: laneStatus(3) });
        expect(created).toMatchObject({ apiVersion: 'tidemill.dev/v1alpha1', kind: 'Lane', spec: lane('a').spec, status: laneStatus(3) });
        expect(created.metadata).toMatchObject({ name: 'a', namespace: home, generation: 1, labels: { x: '1' } });
        expect(created.metadata.uid).not.toBe('');
        expect(Date.parse(created.metadata.creationTimestamp)).toBeGreaterThan(Date.now() - 60_000);
        expect(await objects.get('Lane', { namespace: home, name: 'a' })).toEqual(created);
      });

      it('finds what was created just now where it may lag, too, and comes to see what was changed', async () => {
        for (let n = 0; n < 20; n++) {
          await objects.create(lane(`a-${n}`));
          expect(await objects.get('Lane', { namespace: home, name: `a-${n}` }, { mayLag: true })).toBeDefined();
        }
        const read = async () => objects.get('Lane', { namespace: home, name: 'a-0' }, { mayLag: true });
        await objects.updateStatus({ ...(await read())!, status: laneStatus(3) });
        await expect.poll(async () => (await read())?.status, { timeout: 5000 }).toEqual(laneStatus(3));
        await objects.delete('Lane', { namespace: home, name: 'a-0' });
        await expect.poll(read, { timeout: 5000 }).toBeUndefined();
      });

      it('has no object under another kind, name or namespace', async () => {
        await objects.create(lane('a'));
        expect(await objects.get('Lane', { namespace: home, name: 'b' })).toBeUndefined();
        expect(await objects.get('Lane', { namespace: away, name: 'a' })).toBeUndefined();
        expect(await objects.get('Execution', { namespace: home, name: 'a' })).toBeUndefined();
      });

      it('makes a record with its status, once, and changes that like any other', async () => {
        const status: NonNullable<Obj<'Push'>['status']> = { told: [{ event: 'e', teller: 'webhook', at: '2026-01-02T03:04:05Z' }], results: [] };
        const record: NewObj<'Push'> = { kind: 'Push', metadata: metadata('p'), spec: { kind: 'branch', repository: '/r', ref: 'refs/heads/main' }, status };
        const made = await objects.create(record);
        expect(made).toMatchObject({ spec: record.spec, status });
        expect(await objects.get('Push', { namespace: home, name: 'p' })).toEqual(made);
        await expect(objects.create(record)).rejects.toBeInstanceOf(AlreadyExists);
        const other = { ...status, skipped: 'No project builds it' };
        const changed = await objects.updateStatus({ ...made, spec: { ...made.spec, ref: 'refs/heads/other' }, status: other });
        expect(changed).toMatchObject({ spec: record.spec, status: other });
        expect(changed.metadata.labels).toEqual(made.metadata.labels);
        await expect(objects.updateStatus({ ...made, status })).rejects.toBeInstanceOf(Conflict);
        await objects.delete('Push', { namespace: home, name: 'p' });
        await expect(objects.updateStatus({ ...changed, status })).rejects.toBeInstanceOf(NotFound);
      });

      it('lets exactly one of many that create the same object win', async () => {
        const results = await Promise.allSettled(Array.from({ length: 20 }, () => objects.create(lane('a'))));
        expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
        for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(AlreadyExists);
      });

      it('keeps any text as it is', async () => {
        const annotations = { quote: `'"\\;--`, unicode: 'é 😀 \u2028', nul: 'a\0b', ['x__proto__x']: 'y', constructor: 'z' };
        const object = lane('a');
        await objects.create({ ...object, metadata: { ...object.metadata, annotations } });
        expect((await objects.get('Lane', { namespace: home, name: 'a' }))?.metadata.annotations).toEqual(annotations);
      });

      it.each<[string, () => object]>([
        ['a field that is missing', () => ({ ...lane('a'), spec: { project: 'example' } })],
        ['a field that is unknown', () => ({ ...lane('a'), spec: { ...lane('a').spec, unknown: 1 } })],
        ['a bad name', () => lane('A_b')],
        ['a name with a path in it', () => lane('../etc')],
        ['a bad namespace', () => lane('a', undefined, 'no/slash')],
        ['a label that is too long', () => lane('a', { x: 'y'.repeat(64) })],
        ['a bad status', () => ({ ...lane('a'), status: { mode: 'sometimes' } })],
        ['a kind that there is not', () => ({ ...lane('a'), kind: 'Teapot' })],
        ['a kind from the prototype', () => ({ ...lane('a'), kind: 'constructor' })],
      ])('refuses %s', async (_what, object) => {
        await expect(objects.create(object() as NewObj)).rejects.toBeInstanceOf(InvalidObject);
        expect(await names({})).toEqual([]);
      });

      it('hands out copies', async () => {
        const created = await objects.create(lane('a', { x: '1' }));
        created.metadata.labels!['x'] = 'changed';
        created.spec.project = 'changed';
        expect(await objects.get('Lane', { namespace: home, name: 'a' })).toMatchObject({
          metadata: { labels: { x: '1' } },
          spec: { project: 'example' },
        });
      });
    });

    describe('update', () => {
      it('counts changes of spec, and leaves status alone', async () => {
        const a = await objects.updateStatus({ ...(await objects.create(hook('a'))), status: hookStatus(1) });
        const b = await objects.update({ ...a, spec: { ...a.spec, paused: true }, status: hookStatus(99) });
        expect(b).toMatchObject({ spec: { paused: true }, status: hookStatus(1), metadata: { generation: 2, uid: a.metadata.uid } });
        expect(b.metadata.resourceVersion).not.toBe(a.metadata.resourceVersion);
        const c = await objects.update({ ...b, metadata: { ...b.metadata, labels: { x: '1' } } });
        expect(c.metadata).toMatchObject({ generation: 2, labels: { x: '1' } });
      });

      it('replaces spec and metadata: what is left out is gone', async () => {
        const object = hook('a', { x: '1', y: '1' });
        const a = await objects.create({
          ...object,
          metadata: { ...object.metadata, annotations: { note: '1' } },
          spec: { ...object.spec, types: ['*'], paused: true },
        });
        const { annotations: _, ...kept } = a.metadata;
        const b = await objects.update({ ...a, metadata: { ...kept, labels: { y: '2' } }, spec: { ...object.spec, types: ['push'] } });
        expect(b.spec).toEqual({ ...object.spec, types: ['push'] });
        expect(b.metadata.labels).toEqual({ y: '2' });
        expect(b.metadata.annotations).toBeUndefined();
        expect(await objects.get('Hook', { namespace: home, name: 'a' })).toEqual(b);
      });

      it('of status leaves spec, annotations and generation alone, and replaces labels', async () => {
        const object = lane('a', { x: '1', y: '1' });
        const a = await objects.create({ ...object, metadata: { ...object.metadata, annotations: { note: 'kept' } } });
        const b = await objects.updateStatus({
          ...a,
          metadata: { ...a.metadata, labels: { x: '2' }, annotations: { note: 'not written' } },
          spec: { ...a.spec, project: 'other' },
          status: laneStatus(1),
        });
        expect(b).toMatchObject({ spec: { project: 'example' }, status: laneStatus(1) });
        expect(b.metadata).toMatchObject({ generation: 1, labels: { x: '2' }, annotations: { note: 'kept' } });
        expect(b.metadata.labels).toEqual({ x: '2' });
        expect(await names({ namespace: home, labels: { y: '1' } })).toEqual([]);
        expect(await names({ namespace: home, labels: { x: '2' } })).toEqual(['a']);
      });

      it('that changes nothing leaves the version alone', async () => {
        const a = await objects.create({ ...lane('a', { x: '1', y: '2' }), status: laneStatus(1) });
        const labels = Object.fromEntries(Object.entries(a.metadata.labels!).toReversed());
        const same = { ...a, metadata: { ...a.metadata, labels }, spec: { ref: a.spec.ref, project: a.spec.project } };
        expect((await objects.update(same)).metadata.resourceVersion).toBe(a.metadata.resourceVersion);
        expect((await objects.updateStatus(same)).metadata.resourceVersion).toBe(a.metadata.resourceVersion);
      });

      it('is refused when somebody wrote in between, by either kind of update', async () => {
        const a = await objects.create(hook('a'));
        await objects.updateStatus({ ...a, status: hookStatus(1) });
        await expect(objects.update({ ...a, spec: { ...a.spec, paused: true } })).rejects.toBeInstanceOf(Conflict);
        await expect(objects.updateStatus({ ...a, status: hookStatus(2) })).rejects.toBeInstanceOf(Conflict);
        const labelled = { ...a, metadata: { ...a.metadata, labels: { x: '1' } } };
        await expect(objects.updateStatus({ ...labelled, status: hookStatus(2) })).rejects.toBeInstanceOf(Conflict);
        expect(await objects.get('Hook', { namespace: home, name: 'a' })).toMatchObject({ spec: hook('a').spec, status: hookStatus(1) });
      });

      it('is refused for an object that was made anew under its name', async () => {
        const a = await objects.create(lane('a'));
        await objects.delete('Lane', { namespace: home, name: 'a' });
        const labelled = { ...a, metadata: { ...a.metadata, labels: { x: '1' } } };
        for (const gone of [a, labelled]) {
          await expect(objects.updateStatus({ ...gone, status: laneStatus(1) })).rejects.toBeInstanceOf(NotFound);
          await expect(objects.update(gone)).rejects.toBeInstanceOf(NotFound);
        }
        expect(await objects.get('Lane', { namespace: home, name: 'a' })).toBeUndefined();
        const anew = await objects.create(lane('a'));
        for (const gone of [a, labelled]) {
          await expect(objects.updateStatus({ ...gone, status: laneStatus(1) })).rejects.toBeInstanceOf(Conflict);
          await expect(objects.update(gone)).rejects.toBeInstanceOf(Conflict);
        }
        expect(await objects.get('Lane', { namespace: home, name: 'a' })).toEqual(anew);
      });

      it('is refused where it does not fit the schema, and changes nothing', async () => {
        const a = await objects.create({ ...lane('a'), status: laneStatus(1) });
        await expect(objects.updateStatus({ ...a, status: { ...laneStatus(1), slots: 0 } })).rejects.toBeInstanceOf(InvalidObject);
        await expect(objects.update({ ...a, spec: { ...a.spec, ref: '-x' } })).rejects.toBeInstanceOf(InvalidObject);
        expect(await objects.get('Lane', { namespace: home, name: 'a' })).toEqual(a);
      });

      it('loses no increment of many writers at once', async () => {
        await objects.create({ ...lane('a'), status: laneStatus(0) });
        const increment = async (): Promise<void> => {
          const read = await objects.get('Lane', { namespace: home, name: 'a' });
          await objects.updateStatus({ ...read!, status: laneStatus(read!.status!.last + 1) }).catch((error: unknown) => {
            if (!(error instanceof Conflict)) throw error;
            return increment();
          });
        };
        await Promise.all(Array.from({ length: 25 }, increment));
        expect((await objects.get('Lane', { namespace: home, name: 'a' }))?.status?.last).toBe(25);
      });
    });

    describe('delete', () => {
      it('removes the object, also from lists by label', async () => {
        await objects.create(lane('a', { x: '1' }));
        await objects.delete('Lane', { namespace: home, name: 'a' });
        expect(await objects.get('Lane', { namespace: home, name: 'a' })).toBeUndefined();
        expect(await names({ labels: { x: '1' } })).toEqual([]);
        await expect(objects.delete('Lane', { namespace: home, name: 'a' })).rejects.toBeInstanceOf(NotFound);
      });

      it('holds to its preconditions', async () => {
        const { uid, resourceVersion } = (await objects.create(lane('a'))).metadata;
        const ref = { namespace: home, name: 'a' };
        await expect(objects.delete('Lane', ref, { uid: 'another' })).rejects.toBeInstanceOf(Conflict);
        await expect(objects.delete('Lane', ref, { resourceVersion: '999999' })).rejects.toBeInstanceOf(Conflict);
        await objects.delete('Lane', ref, { uid, resourceVersion });
      });
    });

    describe('list', () => {
      it('selects by namespace and by every label given', async () => {
        await objects.create(lane('a', { x: '1', y: '1' }));
        await objects.create(lane('b', { x: '1', y: '2' }));
        await objects.create(lane('c', { x: '1', y: '1' }, away));
        await objects.create(lane('d'));
        expect(await names({})).toEqual(['a', 'b', 'd', 'c']);
        expect(await names({ namespace: home })).toEqual(['a', 'b', 'd']);
        expect(await names({ labels: { x: '1' } })).toEqual(['a', 'b', 'c']);
        expect(await names({ labels: { x: '1', y: '1' } })).toEqual(['a', 'c']);
        expect(await names({ namespace: home, labels: { x: '1', y: '1' } })).toEqual(['a']);
        expect(await names({ labels: { x: '1', z: '1' } })).toEqual([]);
        expect(await names({ labels: { ['__proto__']: '1', constructor: '1' } })).toEqual([]);
      });

      it('that may lag has what was written, and not what was deleted, within moments', async () => {
        const lagging = async () => names({ namespace: home, labels: { x: '1' }, mayLag: true });
        expect(await lagging()).toEqual([]);
        await objects.create(lane('b', { x: '1' }));
        await objects.create(lane('a', { x: '1' }));
        await objects.create(lane('c', { x: '2' }));
        await expect.poll(lagging, { timeout: 5000 }).toEqual(['a', 'b']);
        await objects.delete('Lane', { namespace: home, name: 'a' });
        await expect.poll(lagging, { timeout: 5000 }).toEqual(['b']);
        expect(await pagesOf({ namespace: home, labels: { x: '1' }, mayLag: true })).toEqual([['b']]);
      });

      const pagesOf = async (options: ListOptions) => {
        const pages: string[][] = [];
        let token: string | undefined;
        do {
          const page = await objects.list('Lane', { ...options, ...(token && { continue: token }), ...mine(options) });
          pages.push(page.items.map((item) => item.metadata.name));
          token = page.continue;
        } while (token);
        return pages;
      };

      it('gives pages that together are the whole, each object once', async () => {
        const all = Array.from({ length: 25 }, (_, i) => `lane-${String(i).padStart(2, '0')}`);
        for (const [i, name] of all.entries()) await objects.create(lane(name, { parity: String(i % 2) }, i < 20 ? home : away));
        for (const limit of [1, 7, 25, 1000]) {
          const pages = await pagesOf({ limit });
          expect(pages.flat()).toEqual(all);
          for (const page of pages) expect(page.length).toBeLessThanOrEqual(limit);
        }
        expect((await pagesOf({ limit: 3, labels: { parity: '1' } })).flat()).toEqual(all.filter((_, i) => i % 2 === 1));
        expect((await pagesOf({ limit: 3, namespace: away })).flat()).toEqual(all.slice(20));
      });

      when(can.newestFirst)('gives the newest first', async () => {
        for (const name of ['b', 'c', 'a', 'd']) {
          await objects.create(lane(name, { x: name === 'c' ? '2' : '1' }, name === 'd' ? away : home));
          if (can.creationResolution_ms) await setTimeout(can.creationResolution_ms);
        }
        expect((await pagesOf({ order: 'newest', limit: 2 })).flat()).toEqual(['d', 'a', 'c', 'b']);
        expect((await pagesOf({ order: 'newest', limit: 1, labels: { x: '1' } })).flat()).toEqual(['d', 'a', 'b']);
        expect((await pagesOf({ order: 'newest', limit: 1, namespace: home, labels: { x: '1' } })).flat()).toEqual(['a', 'b']);
      });

      it('refuses a token that is none', async () => {
        for (const token of ['x', 'bnVsbA', Buffer.from('["a"]').toString('base64url')]) {
          await expect(objects.list('Lane', { continue: token })).rejects.toThrow(/token/);
        }
      });

      it('tells from where to watch so that nothing is missed, also when it took several pages', async () => {
        for (const name of ['a', 'b', 'c']) await objects.create(lane(name));
        const first = await objects.list('Lane', { limit: 2, ...mine() });
        await objects.create(lane('aa'));
        const second = await objects.list('Lane', { limit: 2, continue: first.continue!, ...mine() });
        const { told } = follow('Lane', { since: second.resourceVersion });
        await expect.poll(told, PATIENCE).toEqual(['ADDED aa']);
      });
    });

    describe('watch', () => {
      it('tells what is there, then every change in order', async () => {
        await objects.create(lane('a'));
        const { told, seen } = follow('Lane', {});
        await expect.poll(told, PATIENCE).toEqual(['ADDED a']);
        const b = await objects.create(lane('b'));
        await objects.updateStatus({ ...b, status: laneStatus(1) });
        await objects.create(hook('not-a-lane'));
        await objects.delete('Lane', { namespace: home, name: 'a' });
        await expect.poll(told, PATIENCE).toEqual(['ADDED a', 'ADDED b', 'MODIFIED b', 'DELETED a']);
        const modified = seen.find((event) => event.type === 'MODIFIED');
        expect(modified).toMatchObject({ object: { status: laneStatus(1) } });
      });

      it('goes on after the version given, with every state in between', async () => {
        const a = await objects.create(lane('a'));
        const b = await objects.updateStatus({ ...a, status: laneStatus(1) });
        const c = await objects.updateStatus({ ...b, status: laneStatus(2) });
        await objects.updateStatus({ ...c, status: laneStatus(3) });
        const { seen } = follow('Lane', { since: a.metadata.resourceVersion });
        const numbers = () => seen.flatMap((event) => (event.type === 'MODIFIED' ? [event.object.status?.last] : []));
        await expect.poll(numbers, PATIENCE).toEqual([1, 2, 3]);
      });

      it('tells what enters and leaves a selection', async () => {
        const a = await objects.create(lane('a', { active: 'true' }));
        await objects.create(lane('b', { active: 'false' }));
        await objects.create(lane('c', { active: 'true' }, away));
        const { told } = follow('Lane', { namespace: home, labels: { active: 'true' } });
        await expect.poll(told, PATIENCE).toEqual(['ADDED a']);
        const left = await objects.update({ ...a, metadata: { ...a.metadata, labels: {} } });
        await expect.poll(told, PATIENCE).toEqual(['ADDED a', 'DELETED a']);
        await objects.update({ ...left, metadata: { ...left.metadata, labels: { active: 'true' } } });
        await expect.poll(told, PATIENCE).toEqual(['ADDED a', 'DELETED a', 'ADDED a']);
      });

      it('misses nothing of what happens while it tells what is there', async () => {
        for (let i = 0; i < 250; i += 25) {
          await Promise.all(Array.from({ length: 25 }, (_, j) => objects.create(lane(`lane-${String(i + j).padStart(3, '0')}`))));
        }
        const known = new Map<string, string>();
        const stop = new AbortController();
        stops.push(stop);
        const reading = (async () => {
          for await (const event of objects.watch('Lane', { signal: stop.signal, ...mine() })) {
            if (event.type === 'BOOKMARK') continue;
            const { name, resourceVersion } = event.object.metadata;
            if (event.type === 'DELETED') known.delete(name);
            else known.set(name, resourceVersion);
            await new Promise((resolve) => setImmediate(resolve));
          }
        })();
        for (let i = 0; i < 250; i += 2) {
          const ref = { namespace: home, name: `lane-${String(i).padStart(3, '0')}` };
          if (i % 4 === 0) await objects.delete('Lane', ref);
          else await objects.updateStatus({ ...(await objects.get('Lane', ref))!, status: laneStatus(i) });
          await objects.create(lane(`new-${i}`));
        }
        const page = await objects.list('Lane', { limit: 1000, ...mine() });
        const truth = page.items.map((item) => [item.metadata.name, item.metadata.resourceVersion]).toSorted();
        await expect.poll(() => [...known].toSorted(), PATIENCE).toEqual(truth);
        stop.abort();
        await reading;
      });

      it('ends when it is told to, waiting or not', async () => {
        const waiting = follow('Lane', {});
        await setTimeout(20);
        waiting.stop();
        await waiting.ended;
        const stopped = new AbortController();
        stopped.abort();
        for await (const event of objects.watch('Lane', { signal: stopped.signal })) expect(event).toBeUndefined();
      });

      it('throws Expired for a version that it does not know', async () => {
        for (const since of ['no-version', '999999999999']) await expect(follow('Lane', { since }).ended).rejects.toBeInstanceOf(Expired);
      });

      when(can.forgetsAfter !== undefined)('throws Expired for a version that is no longer kept', async () => {
        const { resourceVersion: since } = (await objects.create(lane('a'))).metadata;
        for (let i = 0; i <= can.forgetsAfter!; i += 256) await Promise.all(Array.from({ length: 256 }, (_, j) => objects.create(lane(`lane-${i + j}`))));
        await expect(follow('Lane', { since }).ended).rejects.toBeInstanceOf(Expired);
        const { told } = follow('Lane', {});
        await expect.poll(() => told().length).toBeGreaterThan(can.forgetsAfter!);
      });
    });
  });
}
