// Sites of many namespaces: who has a short name, and that nobody looks for it when a request comes.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Objects } from '../../../shared/ports/objects.ts';
import { openStore, type Store } from '../../../shared/store/store.ts';
import { startSite } from '../../../test/support/site.ts';
import { allNamespaces, oneNamespace, type Places } from './places.ts';

let store: Store;
let places: Places;
const log = { info: () => {}, warn: () => {}, error: () => {} };
const project = async (namespace: string, name: string, objects: Objects = store.objects) => {
  // What is made later is younger.
  await sleep(2);
  return objects.create<'Project'>({ kind: 'Project', metadata: { namespace, name }, spec: { source: { url: '/srv/site' } } });
};
const at = (namespace: string, name: string) => ({ namespace, name });

beforeEach(() => {
  store = openStore(':memory:');
});
afterEach(async () => {
  places.close();
  await store.close();
});

describe('in many namespaces', () => {
  const start = (objects: Pick<Objects, 'watch'> = store.objects) => {
    places = allNamespaces({ objects, namespace: 'usual', log });
  };

  it('the older project has the short name and those of its branches, and each has its long ones', async () => {
    await project('two', 'docs');
    await project('one', 'docs');
    await project('one', 'shop');
    start();
    expect(await places.of('docs')).toEqual(at('two', 'docs'));
    expect(places.of('docs')).toEqual(at('two', 'docs'));
    expect(places.of('next--docs')).toEqual(at('two', 'next--docs'));
    expect(places.of('shop')).toEqual(at('one', 'shop'));
    expect(places.of('docs.one')).toEqual(at('one', 'docs'));
    expect(places.of('next--docs.one')).toEqual(at('one', 'next--docs'));
    expect(places.of('docs.two')).toEqual(at('two', 'docs'));
  });

  it('a name goes to the next in line when the oldest goes, and to nobody new while it is there', async () => {
    await project('one', 'docs');
    start();
    expect(await places.of('docs')).toEqual(at('one', 'docs'));
    await project('a', 'docs');
    await project('b', 'other');
    await expect.poll(() => places.of('other')).toEqual(at('b', 'other'));
    expect(places.of('docs')).toEqual(at('one', 'docs'));
    await store.objects.delete('Project', at('one', 'docs'));
    await expect.poll(() => places.of('docs')).toEqual(at('a', 'docs'));
  });

  it('a name that no project has is looked for where the others are', async () => {
    start();
    expect(await places.of('none')).toEqual(at('usual', 'none'));
  });

  it.each(['', '.', 'docs.', '.one', 'docs.one.two', 'Docs', 'docs.ONE', '-a', 'a/b', 'a'.repeat(64)])('%j is no name of a site', async (host) => {
    start();
    expect(await places.of(host)).toBeUndefined();
  });

  it('while the watch is away what was known goes on being true', async () => {
    await project('one', 'docs');
    let watches = 0;
    start({
      watch: async function* (kind, options) {
        watches++;
        for await (const event of store.objects.watch(kind, options)) {
          yield event;
          if (watches < 3 && event.type === 'BOOKMARK') throw new Error('the connection was lost');
        }
      },
    });
    expect(await places.of('docs')).toEqual(at('one', 'docs'));
    await expect.poll(() => watches).toBe(3);
    expect(places.of('docs')).toEqual(at('one', 'docs'));
    await store.objects.delete('Project', at('one', 'docs'));
    await expect.poll(() => places.of('docs')).toEqual(at('usual', 'docs'));
  });
});

it('in one namespace nobody is asked', () => {
  places = oneNamespace('one');
  expect(places.of('next--docs')).toEqual(at('one', 'next--docs'));
  expect(places.of('docs.one')).toEqual(at('one', 'docs'));
  for (const host of ['docs.two', '', 'DOCS', 'a.b.one']) expect(places.of(host)).toBeUndefined();
});

it('the site serves both of a name, each on its host', async () => {
  places = oneNamespace('unused');
  const server = await startSite({ everywhere: true });
  try {
    for (const namespace of ['two', 'one']) {
      await project(namespace, 'docs', server.objects);
      await server.point('docs', '1', await server.store({ 'index.html': `of ${namespace}` }), undefined, namespace);
      await server.point('next--docs', '1', await server.store({ 'index.html': `next of ${namespace}` }), undefined, namespace);
    }
    await project('one', 'soon', server.objects);
    const text = async (host: string) => {
      const request = get({ host: '127.0.0.1', port: server.port, headers: { host: `${host}.localhost` } });
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      const body = Buffer.concat(await Array.fromAsync(response as AsyncIterable<Buffer>)).toString();
      return `${response.statusCode} ${body.split('\n', 1)[0]}`;
    };
    expect(await text('docs')).toBe('200 of two');
    expect(await text('docs.two')).toBe('200 of two');
    expect(await text('docs.one')).toBe('200 of one');
    expect(await text('next--docs.one')).toBe('200 next of one');
    expect(await text('next--docs')).toBe('200 next of two');
    expect(await text('soon.one')).toBe('503 Nothing here yet');
    expect(await text('docs.three')).toBe('404 No such site');
    await server.point('docs', '2', await server.store({ 'index.html': 'newer' }), undefined, 'one');
    await expect.poll(() => text('docs.one')).toBe('200 newer');
    expect(await text('docs')).toBe('200 of two');
    expect(server.errors).toEqual([]);
  } finally {
    await server.close();
  }
});
