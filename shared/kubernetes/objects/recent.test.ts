import { beforeEach, expect, it } from 'vitest';
import type { KubeClient } from '../client/client.ts';
import { createKubernetesObjects } from './objects.ts';

const PROJECT = 'tidemill.dev/project';

let hooks: { name: string; labels?: Record<string, string> }[];
let asked: (string | undefined)[];
beforeEach(() => {
  hooks = [];
  asked = [];
});

/** Of an API server that selects by one label. */
const open = () => {
  const request = async (_: string, __: string, { query }: { query: { labelSelector?: string } }) => {
    asked.push(query.labelSelector);
    const [name, value] = query.labelSelector?.split('=') ?? [];
    const items = hooks.filter(({ labels }) => name === undefined || labels?.[name] === value);
    return { metadata: { resourceVersion: '7' }, items: items.map(object) };
  };
  const objects = createKubernetesObjects({ client: { request } as unknown as KubeClient });
  return async (labels: Record<string, string>) =>
    (await objects.list('Hook', { namespace: 'shop', labels, mayLag: true })).items.map(({ metadata }) => metadata.name);
};

const object = ({ name, labels }: (typeof hooks)[number]) => ({
  metadata: { name, namespace: 'shop', uid: name, resourceVersion: '7', creationTimestamp: '2026-01-02T03:04:05Z', ...(labels && { labels }) },
  spec: { url: 'https://example.org/', secret: 'mine' },
});

it('hooks of any label are asked for once in so long, where they are few', async () => {
  hooks = [{ name: 'of-all', labels: { [PROJECT]: '' } }, { name: 'of-a', labels: { [PROJECT]: 'a', other: 'x' } }, { name: 'of-nobody' }];
  const names = open();
  for (let i = 0; i < 5; i++) {
    expect(await names({ [PROJECT]: 'a' })).toEqual(['of-a']);
    expect(await names({ [PROJECT]: '' })).toEqual(['of-all']);
    expect(await names({ [PROJECT]: 'b' })).toEqual([]);
    expect(await names({ constructor: '' })).toEqual([]);
    expect(await names({ [PROJECT]: 'a', other: 'x' })).toEqual(['of-a']);
    expect(await names({ [PROJECT]: 'a', other: 'y' })).toEqual([]);
  }
  expect(asked).toEqual([undefined]);
  hooks.push({ name: 'new', labels: { [PROJECT]: 'b' } });
  await expect.poll(() => names({ [PROJECT]: 'b' }), { timeout: 2000, interval: 20 }).toEqual(['new']);
});

it('where they are many, those of a label alone', async () => {
  hooks = Array.from({ length: 101 }, (_, i) => ({ name: `hook-${i}`, labels: { [PROJECT]: i < 2 ? 'a' : 'b' } }));
  const names = open();
  expect(await names({ [PROJECT]: 'a' })).toEqual(['hook-0', 'hook-1']);
  expect(await names({ [PROJECT]: '' })).toEqual([]);
  expect(await names({ [PROJECT]: 'a' })).toEqual(['hook-0', 'hook-1']);
  expect(asked).toEqual([undefined, `${PROJECT}=a`, `${PROJECT}=`]);
});
