// Who hears what when an installation is changed that is in use.
import { expect, test } from 'vitest';
import type { KubeObject } from '../../../knative/generate/object.ts';
import { keyOf } from '../cluster/resources.ts';
import { desiredOf } from '../desired.ts';
import { wantedOf } from '../options.ts';
import { applyBrokers, newlyHeard } from './broker.ts';
import type { Unready } from './wait.ts';

const image = 'ghcr.io/you/tidemill:1.0.0';

test('functions that are there hear a new Broker before anybody is told of it; on an empty cluster there are none', () => {
  const wanted = wantedOf({ image, overlay: 'knative', namespace: 'mine' }, undefined, {});
  const all = desiredOf(wanted, () => true).stages.flatMap(({ objects }) => objects);
  const named = (some: readonly KubeObject[]) => some.map(({ metadata }) => metadata.name).toSorted();
  expect(newlyHeard(all, new Map())).toEqual([]);
  const isNew = ({ kind, metadata }: KubeObject) => kind === 'Trigger' && metadata.name.includes('.');
  const before = new Map(all.filter((object) => !isNew(object)).map((object) => [keyOf(object), object]));
  expect(named(newlyHeard(all, before))).toEqual(named(all.filter(isNew)));
  for (const key of [...before.keys()].filter((each) => each.endsWith(' Service mine hook-dispatch'))) before.delete(key);
  expect(named(newlyHeard(all, before))).toEqual(named(all.filter((object) => isNew(object) && !object.metadata.name.endsWith('.hook-dispatch'))));
});

test('who publishes is told of a Broker when those who hear it work, and not when they do not', async () => {
  const wanted = wantedOf({ image, overlay: 'knative', namespace: 'mine' }, undefined, {});
  const { stages } = desiredOf(wanted, () => true);
  const all = stages.flatMap(({ objects }) => objects);
  const { objects } = stages.find(({ name }) => name === 'broker')!;
  const live = new Map(all.filter(({ kind }) => kind !== 'Trigger').map((object) => [keyOf(object), object]));
  const done: string[] = [];
  const apply = async (some: readonly KubeObject[]) => void done.push(`apply ${[...new Set(some.map(({ kind }) => kind))].join()}`);
  const wait = (unready: Unready[]) => async (some: readonly KubeObject[]) => {
    done.push(`wait ${[...new Set(some.map(({ kind }) => kind))].join()}`);
    return some[0]?.kind === 'Trigger' ? unready : [];
  };
  const order = ['apply Broker', 'wait Broker', 'apply Trigger', 'wait Trigger'];
  await expect(applyBrokers({ objects, all, live, apply, wait: wait([{ object: 'Trigger mine/x', why: 'no channel' }]), settle_ms: 0 })).rejects.toThrow(
    'no channel',
  );
  expect(done).toEqual(order);
  done.length = 0;
  expect(await applyBrokers({ objects, all, live, apply, wait: wait([]), settle_ms: 0 })).toEqual(all.filter(({ kind }) => kind === 'Trigger'));
  expect(done).toEqual([...order, 'apply SinkBinding']);
});
