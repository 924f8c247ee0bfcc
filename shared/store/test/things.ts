// Objects and events that the store's tests put into it.
import type { TidemillEvent } from '../../events/event.ts';
import type { NewObj, Obj } from '../../objects/kinds.ts';
import type { Settlement } from '../../ports/broker.ts';

export const REQUESTED = 'dev.tidemill.artifact.requested.v1';
export const RESOLVED = 'dev.tidemill.artifact.resolved.v1';
export const DONE: Settlement = { kind: 'done' };

export const testEvent = (id: string, type: typeof REQUESTED | typeof RESOLVED = REQUESTED, size = 0): TidemillEvent => ({
  specversion: '1.0',
  id,
  source: '/test',
  type,
  time: '2026-11-21T10:00:00.000Z',
  datacontenttype: 'application/json',
  chainid: '0f8fad5b-d9cb-469f-a165-70867728950e',
  data: {
    namespace: 'default',
    project: 'example',
    execution: 'e1',
    artifact: 'a1',
    type: 'git',
    digest: `sha1:${'a'.repeat(40)}`,
    ...(size > 0 && { filler: 'x'.repeat(size) }),
  },
});

export const testPipeline = (name: string): NewObj<'Pipeline'> => ({
  kind: 'Pipeline',
  metadata: { name, namespace: 'default' },
  spec: { stages: [{ name: 'build', steps: [{ name: 'one', taskSpec: { steps: [{ script: 'true' }] } }] }] },
});

export const withCondition = (object: Obj<'Pipeline'>, reason: string): Obj<'Pipeline'> => ({
  ...object,
  status: { conditions: [{ type: 'Ready', status: 'True', reason, lastTransitionTime: '2026-11-21T10:00:00.000Z' }] },
});
