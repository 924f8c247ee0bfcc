// Tekton's own events, in the form that Tekton 1.15 sends them: random ids, a source without group, version and kind, and no chain.
import { expect, test } from 'vitest';
import { taskRunEvent } from '../../runner/events.ts';
import { InvalidEvent } from '../../events/event.ts';
import type { Obj } from '../../objects/kinds.ts';
import { readEvent } from '../incoming.ts';

const taskRun = {
  apiVersion: 'tekton.dev/v1',
  kind: 'TaskRun',
  metadata: {
    name: 'hello',
    namespace: 'team',
    uid: '5d9f6f8e-6f6b-4c53-8d46-2f5f0f1c7a10',
    resourceVersion: '4711',
    generation: 1,
    creationTimestamp: '2026-11-21T10:00:00Z',
    labels: { 'app.kubernetes.io/managed-by': 'tekton-pipelines' },
    annotations: { 'pipeline.tekton.dev/release': 'v1.15.0' },
    managedFields: [{ manager: 'controller', operation: 'Update' }],
  },
  spec: { taskSpec: { steps: [{ name: 'say', image: 'busybox', script: 'echo hello' }] }, serviceAccountName: 'default', timeout: '1h0m0s' },
  status: {
    podName: 'hello-pod',
    startTime: '2026-11-21T10:00:01Z',
    completionTime: '2026-11-21T10:00:05Z',
    conditions: [
      { type: 'Succeeded', status: 'True', reason: 'Succeeded', message: 'All Steps have completed executing', lastTransitionTime: '2026-11-21T10:00:05Z' },
    ],
  },
};

const sent = (state: string, id: string, object: object = taskRun) =>
  readEvent(
    {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-source': '/apis///namespaces/team//hello',
      'ce-subject': 'hello',
      'ce-time': '2026-11-21T10:00:05.123456789Z',
      'ce-type': `dev.tekton.event.taskrun.${state}.v1`,
      'ce-knativearrivaltime': '2026-11-21T10:00:05.2Z',
    },
    Buffer.from(JSON.stringify({ taskRun: object })),
  );

test.each(['queued', 'running', 'unknown', 'successful', 'failed'])('an event of the kind %s is taken, whoever tells it and how often', (state) => {
  const [first, second] = [sent(state, 'b0e5e4c4'), sent(state, '7c1d3a99')];
  expect(first).toEqual(second);
  expect(first).toMatchObject({ source: '/apis///namespaces/team//hello', subject: 'hello', chainid: taskRun.metadata.uid });
});

test('it is the event that the local runner tells of the same state', () => {
  const object = taskRun as unknown as Obj<'TaskRun'>;
  for (const state of ['queued', 'running', 'successful', 'failed'] as const) {
    const ours = taskRunEvent(object, state);
    const theirs = sent(state, 'x');
    expect({ id: theirs.id, source: theirs.source, chainid: theirs.chainid }).toEqual({ id: ours.id, source: ours.source, chainid: ours.chainid });
    expect(Date.parse(theirs.time)).toBe(Date.parse(ours.time));
  }
});

test('it belongs to the chain that its TaskRun names', () => {
  const traceparent = '00-0f8fad5bd9cb469fa165708677289500-0f8fad5bd9cb469f-01';
  const annotations = { 'tidemill.dev/chainid': 'chain-7', 'tidemill.dev/traceparent': traceparent };
  expect(sent('failed', 'x', { ...taskRun, metadata: { ...taskRun.metadata, annotations } })).toMatchObject({ chainid: 'chain-7', traceparent });
});

test.each([{}, { metadata: {} }, { metadata: { name: 'hello', namespace: 'team' } }, { metadata: { ...taskRun.metadata, uid: 7 } }])(
  'no TaskRun: %j',
  (object) => {
    expect(() => sent('failed', 'x', object)).toThrow(InvalidEvent);
  },
);
