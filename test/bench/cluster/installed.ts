// tidemill as `tidemill install` puts it into the cluster, with one project whose pushes never wait for one another, and a way to push to it.
import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from 'nats';
import { namesOf } from '../../../shared/jetstream/options.ts';
import { executionName, projectLabels, pushName, repositoryLabel, taskRunName } from '../../../shared/decisions/names.ts';
import { createKubernetesObjects } from '../../../shared/kubernetes/objects/objects.ts';
import type { SpecOf } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { fromEnv } from '../../cluster/env.ts';
import { install, type Installation, kubectl, type Overlay, tidemill } from '../../cluster/chain/installation.ts';
import { startGitServer } from '../../contracts/git-server.ts';
import { pushBody, signedHeaders } from '../../support/github.ts';
import { createRepository } from '../../support/repository.ts';
import { type Arrivals, watchArrivals } from './arrivals.ts';
import { removeBucket } from './bucket.ts';
import { type Ground, remove } from './ground.ts';
import type { Shot } from './load.ts';
import { openPoster, serviceTarget, type Target } from './post.ts';
import { removeTaskRuns } from './tekton.ts';

export interface Installed {
  installation: Installation;
  arrivals: Arrivals;
  /** A push of a commit that is held already; resolves with the milliseconds until its TaskRun was there. */
  push: Shot;
  /** The same of a commit that nobody has seen yet. */
  pushNew: Shot;
  /** Tells one push, of the next branch or of this one: the names of what will come of it. */
  tell(branch?: number): Promise<{ execution: string; taskRun: string; began: number; answered: number }>;
  /** Everything that came of pushes goes; Tekton's controller has to be away, or it would end the TaskRuns first. */
  clean(): Promise<void>;
  /** Each branch is pushed once, so that its lane is there and its commit is held. */
  warm(): Promise<void>;
}

const PROJECT = 'bench';
const STAGE = 'build';
const STEP = 'hello';
/** As many as are ever in flight: then each has a lane of its own, and none meets another's compare-and-swap. */
const BRANCHES = 64;
const NEW_COMMITS = 200;
const WARM_IN_FLIGHT = 16;
const GROUP = '/apis/tidemill.dev/v1alpha1';

export async function installed(ground: Ground, overlay: Overlay): Promise<Installed> {
  const { client, later, log } = ground;
  log(`installing tidemill, overlay ${overlay}`);
  const made: { installation?: Installation } = {};
  later(`tidemill on ${overlay}`, () => removeAll(ground, overlay, made.installation));
  const installation = await install(overlay, [], ground.id);
  made.installation = installation;
  const repository = createRepository({ 'readme.md': 'pushed again and again\n' });
  later('repository', async () => repository.remove());
  const server = await startGitServer({ root: dirname(repository.path), address: fromEnv('TIDEMILL_TEST_HOST') });
  later('git server', () => server.close());
  const url = `${server.url}/${basename(repository.path)}`;
  const shas = Array.from({ length: BRANCHES }, (_, i) => repository.commit({ 'n.txt': String(i) }));
  const unseen = Array.from({ length: NEW_COMMITS }, (_, i) => repository.commit({ 'n.txt': `new ${i}` }));
  const { projects: namespace } = installation;
  const spec = projectSpec(url);
  const objects = createKubernetesObjects({ client });
  await objects.create({ kind: 'Project', metadata: { name: PROJECT, namespace, labels: projectLabels(spec) }, spec });
  later('pushes', () => removePushes(ground, url, installation.namespace));
  const poster = openPoster(await wayIn(ground, installation));
  later('connections', async () => poster.close());
  const arrivals = await watchArrivals(client, namespace);
  later('watch', async () => arrivals.close());

  let told = 0;
  const tellOf = async (sha: string, branch = told % BRANCHES) => {
    const count = told++;
    const ref = `refs/heads/branch-${branch}`;
    const before = randomBytes(20).toString('hex');
    const body = pushBody({ repository: url, repositoryId: 4711, ref, before, after: sha, pushedAt: 1_790_000_000 + count });
    const execution = executionName(PROJECT, pushName(url, ref, before, sha, 0));
    const headers = signedHeaders(body, installation.webhookSecret);
    const began = performance.now();
    await poster.post('/webhooks/github', headers, body);
    return { execution, taskRun: taskRunName(execution, STAGE, STEP), began, answered: performance.now() };
  };
  const tell = (branch = told % BRANCHES) => tellOf(shas[branch]!, branch);
  const shotOf = async (sha: string) => {
    const { taskRun, began } = await tellOf(sha);
    return (await arrivals.of(taskRun)) - began;
  };
  const push = () => shotOf(shas[told % BRANCHES]!);
  const pushNew = () => {
    const sha = unseen.pop();
    if (!sha) throw new Error(`Only ${NEW_COMMITS} commits were made`);
    return shotOf(sha);
  };
  return {
    installation,
    arrivals,
    push,
    pushNew,
    tell,
    warm: async () => {
      let left = BRANCHES;
      const worker = async () => {
        while (left-- > 0) await push();
      };
      await Promise.all(Array.from({ length: WARM_IN_FLIGHT }, worker));
    },
    clean: async () => {
      for (const plural of ['executions', 'artifacts', 'lanes']) await remove(client, `${GROUP}/namespaces/${namespace}/${plural}`);
      await removeTaskRuns(ground, namespace);
      await removePushes(ground, url, installation.namespace);
    },
  };
}

/** Pushes of a branch run side by side, as many as a lane can hold: none waits for one that is never run. */
function projectSpec(url: string): SpecOf<'Project'> {
  const steps = [{ name: 'hello', image: fromEnv('TIDEMILL_TEST_BUILD_IMAGE'), script: '#!/bin/sh\necho hello\n' }];
  return { source: { url }, lane: { mode: 'parallel', slots: 100 }, stages: [{ name: STAGE, steps: [{ name: STEP, taskSpec: { steps } }] }] };
}

/** Pushes are of a repository, and stand where the installation does: in the namespace `default` where there is none. */
export async function removePushes({ client }: Ground, url: string, namespace = 'default'): Promise<void> {
  await remove(client, `${GROUP}/namespaces/${namespace}/pushes`, { labelSelector: `${LABEL.repository}=${repositoryLabel(url)}` });
}

async function wayIn(ground: Ground, { overlay, namespace, kubectl: _kubectl }: Installation): Promise<Target> {
  if (overlay === 'jetstream') return serviceTarget(ground, namespace, 'github-webhook', 80);
  const path = `/apis/serving.knative.dev/v1/namespaces/${namespace}/services/github-webhook`;
  const { status } = await ground.client.request<{ status: { url: string } }>('GET', path);
  return { url: fromEnv('TIDEMILL_TEST_GATEWAY'), host: new URL(status.url).host };
}

/** Of an install that was interrupted, what it had made so far. */
async function removeAll({ client, id }: Ground, overlay: Overlay, whole: Installation | undefined): Promise<void> {
  const { items } = await client.request<{ items: { metadata: { name: string } }[] }>('GET', '/api/v1/namespaces');
  const names = items.map(({ metadata: { name } }) => name.replace(/-projects$/, '')).filter((name) => name.startsWith(`${id}-${overlay}-`));
  for (const name of new Set(names)) {
    if (whole) await whole.remove();
    else {
      await kubectl('delete', 'namespace', `${name}-projects`, '--ignore-not-found', '--wait=false');
      await tidemill('uninstall', '--yes', '--namespace', name);
    }
    await removeData(name, overlay);
  }
}

/** What `tidemill uninstall` leaves, as it is the user's: the bucket and the streams. */
async function removeData(name: string, overlay: Overlay): Promise<void> {
  await removeBucket(name);
  if (overlay === 'jetstream') await removeStreams(name);
}

/** The streams of a broker of this prefix. */
export async function removeStreams(prefix: string): Promise<void> {
  const nats = await connect({ servers: fromEnv('TIDEMILL_TEST_NATS_URL') });
  try {
    const { streams } = await jetstreamManager(nats);
    const { events, dead, counts } = namesOf(prefix);
    const there = await Array.fromAsync(streams.names());
    for (const name of [events, dead, counts].filter((each) => there.includes(each))) await streams.delete(name);
  } finally {
    await nats.close();
  }
}
