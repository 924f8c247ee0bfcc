import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewObj } from '../objects/kinds.ts';
import { AlreadyExists, Conflict, NotFound, type Objects } from '../ports/objects.ts';
import { openStore } from '../store/store.ts';
import { eachObject, ensure, modifyStatus } from './modify.ts';

let store: ReturnType<typeof openStore>;
let objects: Objects;
beforeEach(() => {
  store = openStore(':memory:');
  objects = store.objects;
});
afterEach(() => store.close());

const REF = { namespace: 'default', name: 'site' };
const project = (name = 'site', labels: Record<string, string> = {}): NewObj<'Project'> => ({
  kind: 'Project',
  metadata: { namespace: 'default', name, labels },
  spec: { source: { url: '/r' } },
});

describe('modifyStatus', () => {
  it('loses nothing of what forty write at the same time', async () => {
    await objects.create<'Lane'>({
      kind: 'Lane',
      metadata: REF,
      spec: { project: 'p', ref: 'main' },
      status: { mode: 'queue', slots: 1, last: 0, running: [], waiting: [], recent: [] },
    });
    await Promise.all(Array.from({ length: 40 }, () => modifyStatus(objects, 'Lane', REF, ({ status }) => ({ ...status!, last: status!.last + 1 }))));
    expect((await objects.get('Lane', REF))!.status!.last).toBe(40);
  });

  it('leaves the object alone when nothing is to be changed', async () => {
    const before = await objects.create(project());
    expect(await modifyStatus(objects, 'Project', REF, () => undefined)).toEqual(before);
    expect(await objects.get('Project', REF)).toEqual(before);
  });

  it('says that the object is not there', async () => {
    await expect(modifyStatus(objects, 'Project', REF, () => ({}))).rejects.toThrow(NotFound);
  });

  it('gives up after fifty conflicts, and passes on every other error at once', async () => {
    await objects.create(project());
    let tries = 0;
    const failing = (error: Error): Objects => ({
      ...objects,
      updateStatus: () => {
        tries++;
        return Promise.reject(error);
      },
    });
    await expect(modifyStatus(failing(new Conflict('Project', REF)), 'Project', REF, () => ({}))).rejects.toThrow(Conflict);
    expect(tries).toBe(50);
    await expect(modifyStatus(failing(new Error('disk full')), 'Project', REF, () => ({}))).rejects.toThrow('disk full');
    expect(tries).toBe(51);
  });
});

describe('ensure', () => {
  it('makes one of many at once, and gives that to all', async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => ensure(objects, project())));
    expect(new Set(made.map(({ metadata }) => metadata.uid)).size).toBe(1);
  });

  it('takes the one that is there as it is', async () => {
    await objects.create({ ...project(), spec: { source: { url: '/other' } } });
    expect((await ensure(objects, project())).spec).toEqual({ source: { url: '/other' } });
  });

  it('gives the error of one that vanishes between, and of one that is invalid', async () => {
    const vanishing: Objects = { ...objects, create: () => Promise.reject(new AlreadyExists('Project', REF)) };
    await expect(ensure(vanishing, project())).rejects.toThrow(AlreadyExists);
    await expect(ensure(objects, { ...project(), metadata: { namespace: 'default', name: 'Not A Name' } })).rejects.toThrow(/metadata\.name/);
  });
});

describe('eachObject', () => {
  it('gives every object with the labels, over all pages, and no other', async () => {
    const names = Array.from({ length: 1203 }, (_, n) => `p-${String(n).padStart(4, '0')}`);
    await Promise.all(names.map((name, n) => objects.create(project(name, { of: n % 2 === 0 ? 'even' : 'odd' }))));
    const found: string[] = [];
    for await (const one of eachObject(objects, 'Project', { namespace: 'default', labels: { of: 'even' } })) found.push(one.metadata.name);
    expect(found).toEqual(names.filter((_, n) => n % 2 === 0));
  });

  it('gives nothing where there is nothing', async () => {
    for await (const _ of eachObject(objects, 'Project', { labels: { of: 'none' } })) throw new Error('there is none');
  });
});
