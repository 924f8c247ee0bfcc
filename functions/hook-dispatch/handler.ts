// A public event happened: one delivery for each hook that wants it, so that a slow hook never delays another.
import { matchesBranch as matchesPattern } from '../../shared/decisions/source/branches.ts';
import type { EventOf, Output } from '../../shared/events/event.ts';
import { WATCHER_SOURCE } from '../../shared/events/ids.ts';
import type { Handler } from '../../shared/host/contract.ts';
import { eachObject } from '../../shared/host/modify.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import type { functions } from '../graph.ts';

type Entry = (typeof functions)['hook-dispatch'];

export const handle: Handler<Entry> = async (event, { objects }) => {
  // Of these only what was told before, and did not move its object, comes from there: under another id hooks would hear of it twice.
  if (event.source === WATCHER_SOURCE) return {};
  const { namespace, project } = event.data;
  const outputs: Output<'dev.tidemill.hook.requested.v1'>[] = [];
  for (const label of [project, '']) {
    for await (const hook of eachObject(objects, 'Hook', { namespace, labels: { [LABEL.project]: label }, mayLag: true })) {
      if (wants(hook, event)) outputs.push(delivery(hook, event));
    }
  }
  return { outputs };
};

function wants({ spec }: Obj<'Hook'>, { type }: EventOf<Entry['consumes'][number]>): boolean {
  return !spec.paused && (!spec.types || matchesPattern(spec.types, type));
}

function delivery(hook: Obj<'Hook'>, event: EventOf<Entry['consumes'][number]>): Output<'dev.tidemill.hook.requested.v1'> {
  const { name, namespace } = hook.metadata;
  return { type: 'dev.tidemill.hook.requested.v1', subject: name, data: { namespace, hook: name, event: { ...event } } };
}
