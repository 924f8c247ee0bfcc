// The first start, and a start with a repository: through the same doors as everybody, shown step by step.
import { basename } from 'node:path';
import type { ProjectView } from '../../functions/api/projects/project-view.ts';
import type { RunningServer } from '../../functions/one-machine/start.ts';
import type { Cli } from '../cli.ts';
import type { Client } from '../client/client.ts';
import { CliError, EXIT } from '../exit.ts';
import { type Following, followRun } from '../follow.ts';
import { createProgress, type Line } from '../terminal/progress.ts';
import { projectNameOf } from '../source.ts';
import { ensureExample } from './example.ts';
import { sendPush } from './github-push.ts';

const ACCEPTED = 202;
const MAX_SAME_NAME = 20;
const PROJECT = 'example';

interface Started {
  cli: Cli;
  client: Client;
  server: RunningServer;
  signal: AbortSignal;
}

/** Makes the example's repository, registers it, and tells of its push as GitHub would. */
export async function buildExample({ cli, client, server, signal }: Started, repository: string): Promise<Following> {
  const progress = createProgress(cli.io.stdout, cli.style);
  const before: Line[] = [];
  const step = async <T>(label: string, detail: string, work: () => Promise<T>): Promise<T> => {
    const line: Line = { key: label, state: 'running', label, detail, started: Date.now() };
    before.push(line);
    progress.show(before);
    try {
      const result = await work();
      Object.assign(line, { state: 'done', ended: Date.now() });
      return result;
    } catch (error) {
      Object.assign(line, { state: 'failed', ended: Date.now() });
      throw error;
    } finally {
      progress.show(before);
    }
  };
  try {
    const commit = await step('repository', 'examples/site as a git repository of its own', () => ensureExample(repository));
    const project = await step('project', `registered as "${PROJECT}"`, () => client.addProject({ name: PROJECT, source: { url: repository } }));
    await step('webhook', 'the push, signed as GitHub signs it: 202 once it is on disk', async () => {
      const answer = await sendPush(server.url, server.webhookSecret, repository, commit);
      if (answer.status !== ACCEPTED) throw new CliError(EXIT.failed, `The webhook was answered ${answer.status}: ${answer.text}`);
    });
    return await followRun(client, { project, progress, before, signal });
  } finally {
    progress.end();
  }
}

/** The project of this repository: the one that there is, else a new one, with its first build asked for. */
export async function addSource(client: Client, url: string): Promise<{ project: ProjectView; firstBuild: boolean }> {
  const { items } = await client.projects({ limit: 200 });
  const known = items.find((project) => project.source.url === url);
  if (known) return { project: known, firstBuild: false };
  const taken = new Set(items.map((project) => project.name));
  const name = projectNameOf(url);
  const free = [name, ...Array.from({ length: MAX_SAME_NAME }, (_, i) => `${name.slice(0, 36)}-${i + 2}`)].find((candidate) => !taken.has(candidate));
  if (free === undefined)
    throw new CliError(
      EXIT.refused,
      `There are ${MAX_SAME_NAME} projects named like ${basename(url)} already. Give this one a name: tidemill add <project> ${url}`,
    );
  const project = await client.addProject({ name: free, source: { url } });
  return { project, firstBuild: project.firstBuild };
}

export async function showRun({ cli, client, signal }: Started, project: ProjectView): Promise<Following> {
  const progress = createProgress(cli.io.stdout, cli.style);
  try {
    return await followRun(client, { project, progress, signal });
  } finally {
    progress.end();
  }
}
