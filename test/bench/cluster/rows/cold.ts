// Cold start of each function's bundle: from the start of its process to its first real event handled, against `node -e 0`.
import { basename, dirname } from 'node:path';
import { projectNamespace } from '../../../../knative/generate/manifests.ts';
import { hookLabels, projectLabels, taskRunName } from '../../../../shared/decisions/names.ts';
import { tickEvent } from '../../../../shared/events/tick.ts';
import { createKubernetesObjects } from '../../../../shared/kubernetes/objects/objects.ts';
import type { Obj, SpecOf } from '../../../../shared/objects/kinds.ts';
import { MARKER } from '../../../../shared/objects/project-namespace.ts';
import { type RawTaskRun, taskRunOf, taskRunPath } from '../../../../shared/tekton/taskrun/object.ts';
import { startGitServer } from '../../../contracts/git-server.ts';
import { eventOf, pushEvent, taskRunEnded } from '../../../fakes/events.ts';
import { pushBody, signedHeaders } from '../../../support/github.ts';
import { createRepository, type TestRepository } from '../../../support/repository.ts';
import { fromEnv } from '../../../cluster/env.ts';
import { median } from '../../figures.ts';
import type { BenchRow } from '../../row.ts';
import { asPod } from '../as-pod.ts';
import { type Bare, bareNode } from '../bare.ts';
import { makeBucket } from '../bucket.ts';
import { unpackBundles } from '../bundles.ts';
import { type ColdChain, openColdChain, type Sample, someSha } from '../cold-chain.ts';
import type { Ground } from '../ground.ts';
import { withoutTekton } from '../tekton.ts';

const ROUNDS = 15;
const PROJECT = 'cold';
const SECRET = 'cold-start';

interface World {
  ground: Ground;
  namespace: string;
  url: string;
  repository: TestRepository;
  chain: ColdChain;
  bare: Bare;
}

export async function coldRows(ground: Ground): Promise<BenchRow[]> {
  const { log } = ground;
  const world = await openWorld(ground);
  const samples: Sample[] = [];
  await withoutTekton(ground, [world.namespace], async () => {
    for (let round = 0; round <= ROUNDS; round++) {
      const made = await oneRound(world, round);
      const { time } = world.bare.nothing();
      log(`cold start: node -e 0 ${time.toFixed(0)} ms, ${made.length} processes, ${median(made.map(({ handled }) => handled)).toFixed(0)} ms at the median`);
      // The first round fills the caches of the file system.
      if (round === 0) world.bare.clear();
      else samples.push(...made);
    }
  });
  return rows(samples, world.bare);
}

async function openWorld(ground: Ground): Promise<World> {
  const namespace = await ground.namespace('cold');
  const bucket = await makeBucket(ground, namespace);
  const repository = createRepository({ 'readme.md': 'pushed\n' });
  ground.later('repository', async () => repository.remove());
  const server = await startGitServer({ root: dirname(repository.path), address: '127.0.0.1' });
  ground.later('git server', () => server.close());
  const url = `${server.url}/${basename(repository.path)}`;
  const objects = createKubernetesObjects({ client: ground.client });
  const taskSpec = { steps: [{ name: 'hello', image: 'busybox', script: 'echo hello\n' }] };
  const spec: SpecOf<'Project'> = { source: { url }, stages: [{ name: 'build', steps: [{ name: 'hello', taskSpec }] }] };
  await objects.create({ kind: 'Project', metadata: { name: PROJECT, namespace, labels: projectLabels(spec) }, spec });
  // What tells that its projects are this installation's, which runs in it too.
  const marker = projectNamespace(namespace, namespace).find(({ metadata }) => metadata.name === MARKER);
  await ground.client.request('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, { body: marker });
  const env = {
    TIDEMILL_BROKER: 'knative',
    TIDEMILL_S3_ENDPOINT: fromEnv('TIDEMILL_TEST_S3_ENDPOINT'),
    TIDEMILL_S3_BUCKET: bucket,
    TIDEMILL_WEBHOOK_SECRET: SECRET,
    TIDEMILL_IMAGE: 'tidemill:bench',
    POD_NAMESPACE: namespace,
  };
  const pod = await asPod(ground);
  const bare = bareNode({ ...pod.env, CA: pod.ca });
  const chain = await openColdChain({ ground, bundles: await unpackBundles(ground), pod, env, before: bare.run });
  const secret = { metadata: { name: 'hook', namespace, labels: { 'tidemill.dev/secret': 'true' } }, stringData: { value: 'whsec_c2VjcmV0c2VjcmV0c2VjcmV0' } };
  await ground.client.request('POST', `/api/v1/namespaces/${namespace}/secrets`, { body: { apiVersion: 'v1', kind: 'Secret', ...secret } });
  const hook: SpecOf<'Hook'> = { url: chain.hook, secret: 'hook', project: PROJECT };
  await objects.create({ kind: 'Hook', metadata: { name: 'hook', namespace, labels: hookLabels(hook) }, spec: hook });
  return { ground, namespace, url, repository, chain, bare };
}

/** Two pushes of one branch, the first of which is built and makes way for the second, which is cancelled; and what else the functions are for. */
async function oneRound({ ground, namespace, url, repository, chain }: World, round: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const of = { namespace, project: PROJECT };
  const told = { repository: url, branch: `round-${round}`, pushedAt: new Date().toISOString() };
  const drive = async (event: Parameters<ColdChain['drive']>[0]) => {
    const made = await chain.drive(event);
    samples.push(...made);
  };
  const sha = repository.commit({ 'round.txt': String(round) });
  await drive(pushEvent({ ...told, before: someSha(), after: sha }));
  const first = await newest(ground, namespace, told.branch);
  const before = someSha();
  await drive(pushEvent({ ...told, before, after: sha, pushedAt: new Date(Date.now() + 1000).toISOString() }));
  await drive(taskRunEnded(await finish(ground, namespace, taskRunName(first, 'build', 'hello'))));
  const second = await newest(ground, namespace, told.branch);
  await drive(eventOf('dev.tidemill.execution.cancel-requested.v1', { ...of, execution: second, reason: 'enough' }));
  await drive(eventOf('dev.tidemill.execution.requested.v1', { ...of, trigger: 'user', ref: `refs/heads/none-${round}` }));
  await drive(eventOf('dev.tidemill.release.requested.v1', { ...of, environment: 'production', action: 'deploy', version: `none-${round}`, trigger: 'user' }));
  await drive(tickEvent('storage-sweep', Date.now(), namespace));
  const body = pushBody({ repository: url, before: someSha(), after: sha });
  samples.push(await chain.ask('github-webhook', '/webhooks/github', signedHeaders(body, SECRET), body));
  return samples;
}

/** The execution of the last push of a branch: its lane counts them. */
async function newest({ client }: Ground, namespace: string, branch: string): Promise<string> {
  const { items } = await createKubernetesObjects({ client }).list('Execution', { namespace });
  const [last] = items.filter(({ spec }) => spec.ref === `refs/heads/${branch}`).toSorted((a, b) => b.spec.number - a.spec.number);
  if (!last) throw new Error(`The push of ${branch} opened no execution`);
  return last.metadata.name;
}

/** As Tekton says that a TaskRun ended well. */
async function finish({ client }: Ground, namespace: string, name: string): Promise<Obj<'TaskRun'>> {
  const path = taskRunPath(namespace, name);
  const taskRun = await client.request<RawTaskRun>('GET', path);
  const now = new Date().toISOString();
  const conditions = [{ type: 'Succeeded', status: 'True', reason: 'Succeeded', lastTransitionTime: now }];
  const status = { conditions, startTime: now, completionTime: now, podName: `${name}-pod` };
  return taskRunOf(await client.request<RawTaskRun>('PUT', `${path}/status`, { body: { ...taskRun, apiVersion: 'tekton.dev/v1', kind: 'TaskRun', status } }));
}

function rows(samples: readonly Sample[], bare: Bare): BenchRow[] {
  const names = [...new Set(samples.map(({ name }) => name))];
  const [nothing, asking, handling] = [bare.nothing(), bare.asking(), bare.handling()];
  const of = (name: string, field: 'up' | 'handled' | 'cpu') => median(samples.filter((sample) => sample.name === name).map((sample) => sample[field]));
  const all = (field: 'up' | 'handled' | 'cpu') => median(names.map((name) => of(name, field)));
  const slowest = names.toSorted((a, b) => of(b, 'handled') - of(a, 'handled'))[0]!;
  const each = (field: 'handled' | 'cpu') =>
    names
      .toSorted((a, b) => of(b, field) - of(a, field))
      .map((name) => `${name} ${of(name, field).toFixed(0)}`)
      .join(', ');
  const row = (what: string, ours: number, theirs: number, wanted: boolean, note: string): BenchRow => ({
    bench: 'cluster, cold start',
    what,
    ours,
    peer: 'node -e 0',
    theirs,
    unit: 'ms',
    ratio: ours / theirs,
    target: wanted ? '<= 2' : 'reported',
    ok: !wanted || ours / theirs <= 2,
    note,
  });
  const told = 'handled: all its requests to the API server made, and what it told taken by the broker';
  return [
    row(
      `process start → first event handled, slowest: ${slowest}`,
      of(slowest, 'handled'),
      nothing.time,
      true,
      `medians of ${ROUNDS} rounds: ${each('handled')}`,
    ),
    row('the same, the median of all functions', all('handled'), nothing.time, true, told),
    row('the same, what it uses of processors by then', all('cpu'), nothing.cpu, false, `user and system: ${each('cpu')}`),
    row('process start → it takes requests, median of all', all('up'), nothing.time, false, ''),
    row('bare Node that asks the API server one thing over TLS', asking.time, nothing.time, false, ''),
    row('the same, what it uses of processors', asking.cpu, nothing.cpu, false, ''),
    row(
      'bare Node that takes a request, asks the API server two things over one connection, sends a request and has its answer',
      handling.time,
      nothing.time,
      false,
      'what no function can stay below: an event taken, read about, recorded and told, with no code of ours',
    ),
    row('the same, what it uses of processors', handling.cpu, nothing.cpu, false, ''),
  ];
}
