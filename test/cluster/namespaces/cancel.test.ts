// A running execution is cancelled by the account of execution-cancel, which may end TaskRuns and nothing else of theirs.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { handle } from '../../../functions/execution-cancel/handler.ts';
import { functions } from '../../../functions/graph.ts';
import { type AnyHandler, startHost } from '../../../shared/host/host.ts';
import { beginWithOutbox } from '../../../shared/host/outbox.ts';
import type { Ports } from '../../../shared/host/contract.ts';
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { createKubernetesObjects } from '../../../shared/kubernetes/objects/objects.ts';
import type { Broker, Delivery, Settlement } from '../../../shared/ports/broker.ts';
import { createTektonRunner } from '../../../shared/tekton/runner.ts';
import { TASK_RUN_DEFAULTS } from '../../../shared/tekton/taskrun/defaults.ts';
import { eventOf } from '../../fakes/events.ts';
import { recordingBroker } from '../../support/watcher.ts';
import { fromEnv } from '../env.ts';
import { clientAs, installRoles, prepare, removeRoles } from './installations.ts';
import { ensureCrds } from '../objects/crds.ts';
import { dropNamespaces, makeNamespaces } from '../objects/namespaces.ts';
import { newClient } from '../watcher/world.ts';

const IMAGE = fromEnv('TIDEMILL_TEST_BUILD_IMAGE');
const log = { info() {}, warn() {}, error() {} };
const admin = newClient();
const everything = createKubernetesObjects({ client: admin });
let client: KubeClient | undefined;
let [system, shop] = ['', ''];

beforeAll(async () => {
  await ensureCrds(admin);
  [system, shop] = await makeNamespaces(admin, 'cancel', ['system', 'shop']);
  await installRoles(system);
  await prepare(shop, system);
  client = await clientAs(admin, 'execution-cancel', system);
});
afterAll(async () => {
  client?.close();
  await dropNamespaces(admin, [system, shop]);
  await removeRoles(system);
  admin.close();
});

const runnerOf = (as: KubeClient) => createTektonRunner({ client: as, buildImage: IMAGE, defaults: TASK_RUN_DEFAULTS });
const NAME = 'site-cancelled';
const TASK_RUN = `${NAME}-build-hello`;

it('ends what runs and closes the execution, and may start none', { timeout: 120_000 }, async () => {
  const made = await everything.create<'Execution'>({
    kind: 'Execution',
    metadata: { namespace: shop, name: NAME },
    spec: { project: 'site', lane: 'site.branch.main', number: 1, ref: 'refs/heads/main', source: 'source', trigger: 'user' },
  });
  await runnerOf(admin).start({
    kind: 'TaskRun',
    metadata: { namespace: shop, name: TASK_RUN },
    spec: { taskSpec: { steps: [{ name: 'wait', image: IMAGE, script: '#!/bin/sh\nsleep 600\n' }] } },
  });
  const steps = [{ name: 'hello', phase: 'Running' as const, taskRun: TASK_RUN }];
  await everything.updateStatus<'Execution'>({ ...made, status: { phase: 'Running', stages: [{ name: 'build', phase: 'Running', steps }] } });

  const broker = recordingBroker();
  const event = eventOf('dev.tidemill.execution.cancel-requested.v1', { namespace: shop, project: 'site', execution: NAME, reason: 'a better idea' });
  expect(await deliver(broker, event)).toEqual({ kind: 'done' });
  expect((await runnerOf(admin).get({ namespace: shop, name: TASK_RUN }))?.spec.status).toBe('TaskRunCancelled');
  expect((await everything.get('Execution', { namespace: shop, name: NAME }))?.status).toMatchObject({
    phase: 'Cancelled',
    message: 'Cancelled: a better idea',
  });
  expect(broker.events.map(({ type }) => type)).toEqual(['dev.tidemill.execution.finished.v1']);

  const spec = { taskSpec: { steps: [{ name: 'hello', image: IMAGE }] } };
  await expect(runnerOf(client!).start({ kind: 'TaskRun', metadata: { namespace: shop, name: 'started' }, spec })).rejects.toMatchObject({
    name: 'NotPrepared',
  });
  for (const kind of ['Credential', 'Hook'] as const)
    await expect(createKubernetesObjects({ client: client! }).list(kind, { namespace: shop })).rejects.toThrow(/forbidden/);
});

/** One event, by the function as it runs in a cluster. */
async function deliver(broker: Broker, event: Delivery['event']): Promise<Settlement> {
  const name = 'execution-cancel';
  const now = () => new Date().toISOString();
  let call: ((delivery: Delivery) => Promise<Settlement>) | undefined;
  const heard: Broker = { ...broker, subscribe: (_subscription, handler) => void (call = handler) };
  const ports = { objects: createKubernetesObjects({ client: client! }), runner: runnerOf(client!) } as unknown as Ports;
  const begin = beginWithOutbox({ broker, durable: true, now, log });
  startHost({ functions: { [name]: functions[name] }, load: async () => handle as AnyHandler, ports, broker: heard, begin, log, now, home: system });
  return call!({ subscription: name, event, attempt: 1, checked: true } as Delivery);
}
