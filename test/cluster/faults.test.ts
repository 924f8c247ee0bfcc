// Faults on a real installation, each with its count: nothing that was acknowledged is lost, and nothing is done twice.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functions } from '../../functions/graph.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { kubectl } from './chain/installation.ts';
import { all, eventually } from './chain/world.ts';
import { evict, failStore, killPods, pauseApiServer } from './faults/breakage.ts';
import { forgeries, sendByNats, sendFromPod } from './faults/forged.ts';
import { apply } from './faults/kubectl.ts';
import { edits, tryEdit } from './faults/nonsense.ts';
import { type FaultyProject, pushThrough } from './faults/project.ts';
import { type FaultWorld, openFaultWorld } from './faults/world.ts';
import { fromEnv } from './env.ts';

const LONG = 600_000;
const NAMES = Object.keys(functions);

/** The one TaskRun of a project that runs. */
async function runningTaskRun({ installation }: FaultWorld, project: string) {
  return eventually(`a running TaskRun of ${project}`, 60_000, async () =>
    (await all(installation, 'TaskRun', '-l', `${LABEL.project}=${project}`)).find(
      ({ status }) => status?.conditions?.[0]?.status === 'Unknown' && 'podName' in status && status['podName'],
    ),
  );
}

describe('on jetstream', { timeout: LONG }, () => {
  let world: FaultWorld;
  beforeAll(async () => {
    for (const name of ['TIDEMILL_TEST_APISERVER_PAUSE', 'TIDEMILL_TEST_NATS_SERVER'] as const) fromEnv(name);
    world = await openFaultWorld('jetstream');
  }, LONG);
  afterAll(async () => {
    process.stdout.write(`\n${world?.table() ?? ''}\n\n`);
    await world?.remove();
  }, LONG);

  it('events of TaskRuns that are not Tekton’s change nothing', async () => {
    const project = await world.project('forged', { script: 'sleep 20' });
    await project.push();
    const taskRun = await runningTaskRun(world, 'forged');
    const { installation, nats } = world;
    const events = forgeries(taskRun);
    await sendByNats(nats!.url, installation.namespace, events);
    const to = [`http://taskrun-finished.${installation.namespace}.svc.cluster.local/`, `http://github-webhook.${installation.namespace}.svc.cluster.local/`];
    const answers = await sendFromPod(installation, to, [events[0]!]);
    expect(answers.filter((status) => status.startsWith('2'))).toEqual([]);
    const [execution] = await all(installation, 'Execution', '-l', `${LABEL.project}=forged`);
    expect(execution!.status!.phase).toBe('Running');
    await world.expectOnce(`${events.length} forged events of TaskRuns`, project);
  });

  it('nonsense that is written into objects is refused, or said on them', async () => {
    const { installation } = world;
    const project = await world.project('edited');
    await project.push();
    await world.expectOnce('nothing yet', project);
    const taskSpec = { steps: [{ image: 'busybox', script: 'true' }] };
    const manifests = {
      Pipeline: { stages: [{ name: 'a', steps: [{ name: 'a', taskSpec }] }] },
      Hook: { url: 'https://hooks.example/', secret: 'all', paused: true },
      Credential: { type: 'basic', host: 'git.example', username: 'me', secret: 'all' },
    };
    for (const [kind, spec] of Object.entries(manifests))
      await apply(installation.projects, { apiVersion: 'tidemill.dev/v1alpha1', kind, metadata: { name: 'edited' }, spec });
    const failures: string[] = [];
    for (const edit of edits('edited')) await tryEdit(installation, edit).catch((error: unknown) => failures.push(`${edit.what}: ${(error as Error).message}`));
    expect(failures).toEqual([]);
    await project.push();
    await world.expectOnce(`${edits('').length} edits that make no sense`, project);
  });

  it('the API server is away for a minute', async () => {
    const project = await world.project('apiserver');
    await pushThrough(project, 6, 2000, () => pauseApiServer(60));
    await world.expectOnce('API server away for 60 s', project);
  });

  it('the NATS server is killed', async () => {
    const project = await world.project('nats');
    const [server] = world.nats!.servers;
    await pushThrough(project, 20, 300, async () => {
      await server!.kill();
      await sleep(5000);
      await server!.start();
    });
    await world.expectOnce('NATS server killed, away for 5 s', project);
  });

  it('the pods of every function are killed', async () => {
    const { installation } = world;
    const project = await world.project('killed');
    let killed = 0;
    await pushThrough(project, 10, 1500, async () => {
      for (const name of [...NAMES, 'watcher', 'bytes', 'github-webhook']) {
        killed += await killPods(installation.namespace, '-l', `app.kubernetes.io/name=${name}`);
        await sleep(300);
      }
    });
    expect(killed).toBeGreaterThanOrEqual(NAMES.length);
    await world.expectOnce(`${killed} pods of functions killed`, project);
  });

  it('the pod of a TaskRun is evicted, or lost with its node', async () => {
    const { installation } = world;
    const script = 'sleep 20';
    const again = await world.project('evicted-again', { script, retries: 1 });
    const gone = await world.project('evicted', { script });
    const lost = await world.project('lost', { script });
    await Promise.all([again, gone, lost].map((project) => project.push()));
    const podOf = async ({ name }: FaultyProject) => ((await runningTaskRun(world, name)).status as { podName: string }).podName;
    for (const project of [again, gone]) {
      const pod = await podOf(project);
      await eventually(`the eviction of ${pod}`, 30_000, async () => ((await evict(installation.projects, pod)) ? true : undefined));
    }
    expect(await killPods(installation.projects, await podOf(lost))).toBe(1);
    await world.expectOnce('pod of a TaskRun evicted, retries: 1', again);
    await world.expectOnce('pod of a TaskRun evicted, no retries', gone, 'Failed');
    await world.expectOnce('pod of a TaskRun lost with its node', lost);
    const [execution] = await all(installation, 'Execution', '-l', `${LABEL.project}=evicted`);
    expect(execution!.status!.message).toMatch(/its pod was ended from outside/);
  });

  it('S3 answers errors, cuts connections and loses answers', async () => {
    const project = await world.project('store');
    let failed = 0;
    await pushThrough(project, 8, 2000, async () => {
      failed = await failStore(world.store, 30_000);
    });
    expect(failed).toBeGreaterThan(20);
    await world.expectOnce(`S3 failing for 30 s, ${failed} requests`, project);
  });

  it('and in the end nothing more has come of any of it', async () => {
    await world.expectNothingMore();
  });
});

describe('on knative', { timeout: LONG }, () => {
  let world: FaultWorld;
  beforeAll(async () => {
    world = await openFaultWorld('knative');
  }, LONG);
  afterAll(async () => {
    process.stdout.write(`\n${world?.table() ?? ''}\n\n`);
    await world?.remove();
  }, LONG);

  it('events of TaskRuns that are not Tekton’s change nothing, at the Broker and at the function', async () => {
    const project = await world.project('forged', { script: 'sleep 30' });
    await project.push();
    const { installation } = world;
    const events = forgeries(await runningTaskRun(world, 'forged'));
    const broker = await kubectl('-n', installation.namespace, 'get', 'broker', 'tidemill', '-o', 'jsonpath={.status.address.url}');
    const answers = await sendFromPod(installation, [broker, `http://taskrun-finished.${installation.namespace}.svc.cluster.local/`], events);
    expect(answers).toHaveLength(2 * events.length);
    const [execution] = await all(installation, 'Execution', '-l', `${LABEL.project}=forged`);
    expect(execution!.status!.phase).toBe('Running');
    await world.expectOnce(`${2 * events.length} forged events of TaskRuns`, project);
  });

  it('the pods of the Broker are deleted', async () => {
    const project = await world.project('broker');
    let killed = 0;
    await pushThrough(project, 8, 1500, async () => {
      for (const component of ['broker-ingress', 'imc-dispatcher', 'broker-filter']) {
        killed += await killPods('knative-eventing', '-l', `app.kubernetes.io/component=${component}`);
        await sleep(1000);
      }
    });
    expect(killed).toBeGreaterThanOrEqual(3);
    await world.expectOnce(`${killed} pods of the Broker killed`, project);
  });

  it('the pods of every function are killed', async () => {
    const { installation } = world;
    const project = await world.project('killed');
    let killed = 0;
    await pushThrough(project, 8, 1500, async () => {
      // Those that sleep have none to kill: so twice, as pushes wake them.
      for (const name of [...NAMES, ...NAMES, 'watcher', 'bytes', 'github-webhook']) {
        killed += await killPods(installation.namespace, '-l', `app.kubernetes.io/name=${name}`);
        await sleep(200);
      }
    });
    expect(killed).toBeGreaterThan(NAMES.length / 2);
    await world.expectOnce(`${killed} pods of functions killed`, project);
  });

  it('S3 answers errors, cuts connections and loses answers', async () => {
    const project = await world.project('store');
    let failed = 0;
    await pushThrough(project, 4, 2000, async () => {
      failed = await failStore(world.store, 30_000);
    });
    expect(failed).toBeGreaterThan(10);
    await world.expectOnce(`S3 failing for 30 s, ${failed} requests`, project);
  });

  it('and in the end nothing more has come of any of it', async () => {
    await world.expectNothingMore();
  });
});
