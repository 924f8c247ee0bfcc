// One push through the whole chain with a kill somewhere in it, and what must be true when the server was started again.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionView } from '../../functions/api/executions/execution-view.ts';
import type { ProjectView } from '../../functions/api/projects/project-view.ts';
import { pushBody, signedHeaders } from '../support/github.ts';
import { send, until } from '../support/machine.ts';
import { createRepository, type TestRepository } from '../support/repository.ts';
import { type ServerProcess, startProcess } from './process.ts';

export interface Scenario {
  server: ServerProcess;
  /** Starts the server again after it was killed. */
  restart(): Promise<void>;
  /** Commits, and tells of it as GitHub would: again and again until it is answered 202. */
  push(): Promise<void>;
  /** Waits until the last push is live, then checks that all of it happened once. Throws saying what did not hold. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

const PROJECT = 'shop';
/** How many events of each type a push must have told the hook of, each under one id, however often it was sent. */
const TOLD = { 'execution.started': 1, 'execution.finished': 1, 'artifact.resolved': 2, 'release.deployed': 1 };

export async function createScenario(): Promise<Scenario> {
  const data = mkdtempSync(join(tmpdir(), 'tidemill-chaos-'));
  const repository = createRepository({
    'package.json': '{"name":"shop","version":"1.0.0","scripts":{"build":"sh build.sh"}}',
    'build.sh': 'mkdir dist; sleep 0.05; cp index.html dist/\n',
    'index.html': 'start',
  });
  const hook = await startHookReceiver();
  process.env.TIDEMILL_HOOKS_ALLOW = '127.0.0.1/32';
  let count = 0;
  let telling: Promise<void> = Promise.resolve();
  const scenario: Scenario = {
    server: await startProcess(data),
    restart: async () => {
      scenario.server = await startProcess(data);
    },
    push: async () => {
      const before = repository.git('rev-parse', 'HEAD');
      const after = repository.commit({ 'index.html': `content ${++count}` });
      telling = told(scenario, repository, before, after, count);
    },
    verify: async () => {
      await telling;
      const sha = repository.git('rev-parse', 'HEAD');
      await until(`release of ${sha}`, () => isLive(scenario, repository, sha), 60_000);
      await onlyOnce(scenario, sha);
      await until('all events told to the hook', async () => hook.isComplete(sha) || undefined);
      hook.check(sha);
      await until('the end of what builds left running', async () => leftRunning(data, scenario.server.pid).length === 0 || undefined);
    },
    close: async () => {
      scenario.server.kill();
      await scenario.server.ended;
      hook.server.close();
      repository.remove();
      rmSync(data, { recursive: true, force: true });
    },
  };
  await scenario.server.api('/projects', 'POST', { name: PROJECT, source: { url: repository.path }, build: { install: '', build: 'sh build.sh' } });
  await scenario.server.api('/hooks', 'POST', { url: `http://127.0.0.1:${hook.port}/`, project: PROJECT });
  await until('first release', () => isLive(scenario, repository, repository.git('rev-parse', 'HEAD')));
  return scenario;
}

/** As a webhook would be redelivered: until the server, which may be down at the time, has taken it. */
async function told(scenario: Scenario, repository: TestRepository, before: string, after: string, count: number): Promise<void> {
  const body = pushBody({ repository: repository.path, before, after, pushedAt: 1_790_000_000 + count });
  for (let tries = 0; tries < 500; tries++) {
    const { port, webhookSecret } = scenario.server;
    const answer = await send(port, 'POST', '/webhooks/github', signedHeaders(body, webhookSecret), body).catch(() => undefined);
    if (answer?.status === 202) return;
    await sleep(50);
  }
  throw new Error(`the push of ${after} was never taken`);
}

async function isLive(scenario: Scenario, repository: TestRepository, sha: string): Promise<true | undefined> {
  const project = await scenario.server.api<ProjectView>(`/projects/${PROJECT}`);
  if (project.lastExecution?.sha !== sha || !project.releases[0]?.current?.version.endsWith(sha.slice(0, 7))) return undefined;
  const page = await send(scenario.server.port, 'GET', '/', { host: `${PROJECT}.localhost` });
  return page.text === readFileSync(join(repository.path, 'index.html'), 'utf8') ? true : undefined;
}

async function onlyOnce({ server }: Scenario, sha: string): Promise<void> {
  const { items: executions } = await server.api<{ items: ExecutionView[] }>(`/executions?project=${PROJECT}&limit=10`);
  const ofThis = executions.filter((execution) => execution.sha === sha);
  if (ofThis.length !== 1) throw new Error(`${ofThis.length} executions of ${sha}`);
  if (ofThis[0]?.phase !== 'Succeeded') throw new Error(`execution of ${sha} is ${ofThis[0]?.phase}: ${ofThis[0]?.message}`);
  const { releases } = await server.api<ProjectView>(`/projects/${PROJECT}`);
  const all = [releases[0]?.current, ...(releases[0]?.history ?? [])];
  const times = all.filter((entry) => entry?.version.endsWith(sha.slice(0, 7))).length;
  if (times !== 1) throw new Error(`${sha} was released ${times} times`);
  const { items: dead } = await server.api<{ items: unknown[] }>('/deadletters');
  if (dead.length > 0) throw new Error(`dead letters: ${JSON.stringify(dead)}`);
}

/** Remembers each event by the chain that it belongs to: its commit is in the version or in the event that began it. */
async function startHookReceiver() {
  const chains = new Map<string, { sha?: string; events: { id: string; type: string }[] }>();
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const event = JSON.parse(Buffer.concat(chunks).toString()) as { id: string; type: string; chainid: string; data: { sha?: string } };
      const chain = chains.get(event.chainid) ?? { events: [] };
      chain.events.push({ id: event.id, type: event.type });
      if (event.data.sha) chain.sha = event.data.sha;
      chains.set(event.chainid, chain);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  /** Distinct ids under which the hook was told of a type of event in the chain of this commit. */
  const ids = (sha: string, type: string) => {
    const events = [...chains.values()].filter((chain) => chain.sha === sha).flatMap((chain) => chain.events);
    return new Set(events.filter((event) => event.type.includes(`.${type}.`)).map((event) => event.id)).size;
  };
  const check = (sha: string) => {
    for (const [type, times] of Object.entries(TOLD)) {
      if (ids(sha, type) !== times) throw new Error(`the hook was told of ${type} of ${sha} under ${ids(sha, type)} ids, not ${times}`);
    }
  };
  const isComplete = (sha: string) => Object.entries(TOLD).every(([type, times]) => ids(sha, type) >= times);
  return { server, port: (server.address() as AddressInfo).port, isComplete, check };
}

/** Processes that belong to a data folder and have outlived the server that started them. Linux only. */
function leftRunning(data: string, server: number): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === server) return [];
    try {
      const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
      return parent !== server && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(data) ? [pid] : [];
    } catch (error) {
      if (['ENOENT', 'EACCES', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  });
}
