// A project of a fault's own, that somebody pushes to as GitHub does: what is not answered 202 is delivered again, as it was, until it is.
import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SpecOf } from '../../../shared/objects/kinds.ts';
import { startGitServer } from '../../contracts/git-server.ts';
import { pushBody, signedHeaders } from '../../support/github.ts';
import { createRepository } from '../../support/repository.ts';
import type { Door, Installation } from '../chain/installation.ts';
import { fromEnv } from '../env.ts';
import { apply } from './kubectl.ts';

export interface FaultyProject {
  name: string;
  /** Commits that were told, and answered 202, in order. */
  told: string[];
  /** Requests that it took beyond one for each push. */
  redelivered: number;
  /** Commits, and delivers it until it is answered 202. */
  push(): Promise<string>;
  close(): Promise<void>;
}

export interface ProjectOptions {
  installation: Installation;
  /** Where webhooks go. */
  webhook: Door;
  /** What the build does before it leaves its page. Default: nothing. */
  script?: string;
  retries?: number;
}

const ACCEPTED_MS = 120_000;
const AGAIN_MS = 500;
const BRANCH = 'main';

/** Builds run side by side, and each leaves one page that says its commit. */
function specOf(url: string, { script = '', retries }: ProjectOptions): SpecOf<'Project'> {
  const make = `#!/bin/sh\nset -e\n${script}\nmkdir -p dist\ncp said.txt dist/index.html\n`;
  const taskSpec = { steps: [{ name: 'make', image: fromEnv('TIDEMILL_TEST_BUILD_IMAGE'), script: make }] };
  const step = { name: 'site', output: 'dist', taskSpec, ...(retries !== undefined && { retries }) };
  return { source: { url, branch: BRANCH }, lane: { mode: 'parallel', slots: 10 }, stages: [{ name: 'build', steps: [step] }] };
}

export async function openProject(name: string, options: ProjectOptions): Promise<FaultyProject> {
  const { installation, webhook } = options;
  const repository = createRepository({ 'said.txt': 'nothing yet' });
  const server = await startGitServer({ root: dirname(repository.path), address: fromEnv('TIDEMILL_TEST_HOST') });
  const url = `${server.url}/${basename(repository.path)}`;
  const repositoryId = 1 + randomBytes(4).readUIntBE(0, 4);
  const began = Math.floor(Date.now() / 1000);
  const spec = specOf(url, options);
  const write = (written: object) => apply(installation.projects, { apiVersion: 'tidemill.dev/v1alpha1', kind: 'Project', metadata: { name }, spec: written });
  // Looked at for the first time while it is paused, it has no first build: what is pushed is all there is.
  await write({ ...spec, paused: true });
  await installation.kubectl('wait', '--for=condition=Ready', `project/${name}`, '--timeout=60s');
  await write(spec);

  let head: string | undefined;
  const project: FaultyProject = {
    name,
    told: [],
    redelivered: 0,
    push: async () => {
      const n = project.told.length + 1;
      const sha = repository.commit({ 'said.txt': `${name} ${n}` });
      const body = pushBody({ repository: url, repositoryId, ref: `refs/heads/${BRANCH}`, after: sha, pushedAt: began + n, ...(head && { before: head }) });
      head = sha;
      project.redelivered += (await deliver(webhook, body, installation.webhookSecret)) - 1;
      project.told.push(sha);
      return sha;
    },
    close: async () => {
      await server.close();
      repository.remove();
    },
  };
  return project;
}

/** How many requests it took. */
async function deliver(webhook: Door, body: Buffer, secret: string): Promise<number> {
  const headers = { ...signedHeaders(body, secret), 'content-length': String(body.length) };
  const until = Date.now() + ACCEPTED_MS;
  for (let requests = 1; ; requests++) {
    const answer = await webhook('POST', '/webhooks/github', { headers, body }).catch((error: unknown) => error as Error);
    if (!(answer instanceof Error) && answer.status === 202) return requests;
    const said = answer instanceof Error ? answer.message : `${answer.status} ${answer.body}`;
    if (Date.now() > until) throw new Error(`A push was not taken within ${ACCEPTED_MS / 1000} s; at last: ${said}`);
    await sleep(AGAIN_MS);
  }
}

/** So many pushes, one every so often, and the fault when half of them are told. Resolves when both are through. */
export async function pushThrough(project: FaultyProject, count: number, every_ms: number, fault: () => Promise<void>): Promise<void> {
  let broken: Promise<void> | undefined;
  for (let i = 0; i < count; i++) {
    if (i === Math.floor(count / 2)) broken = fault();
    await project.push();
    await sleep(every_ms);
  }
  await broken;
}
