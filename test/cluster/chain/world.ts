// What stands around an installation: repositories on a git server of the test's own, somebody who pushes to them, and a hook's receiver.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Obj, Kind } from '../../../shared/objects/kinds.ts';
import { startGitServer } from '../../contracts/git-server.ts';
import { pushBody, signedHeaders } from '../../support/github.ts';
import { createRepository, type Files } from '../../support/repository.ts';
import { fromEnv } from '../env.ts';
import type { Answer, Installation } from './installation.ts';

export interface PushedRepository {
  url: string;
  /** Commits to a branch, and tells it as GitHub does. */
  push(files: Files, branch?: string): Promise<{ sha: string; answer: Answer }>;
  /** Tells of the head again, or for the first time. */
  tell(branch?: string): Promise<Answer>;
  sha(branch?: string): string;
  close(): Promise<void>;
}

let told = 0;

export async function openRepository(installation: Installation, files: Files): Promise<PushedRepository> {
  const repository = createRepository(files);
  const server = await startGitServer({ root: dirname(repository.path), address: fromEnv('TIDEMILL_TEST_HOST') });
  const url = `${server.url}/${basename(repository.path)}`;
  const heads = new Map<string, string>();
  const sha = (branch = 'main') => repository.git('rev-parse', branch);
  const tell = async (branch = 'main') => {
    const after = sha(branch);
    const before = heads.get(branch);
    heads.set(branch, after);
    const pushedAt = Math.floor(Date.now() / 1000) + told++;
    const body = pushBody({
      repository: url,
      repositoryId: 1 + randomBytes(3).readUIntBE(0, 3),
      ref: `refs/heads/${branch}`,
      after,
      pushedAt,
      ...(before && { before }),
    });
    const headers = { ...signedHeaders(body, installation.webhookSecret), 'content-type': 'application/json', 'content-length': String(body.length) };
    return installation.webhook('POST', '/webhooks/github', { headers, body });
  };
  return {
    url,
    sha,
    tell,
    push: async (changes, branch = 'main') => {
      const isNew = repository.git('branch', '--list', branch) === '';
      repository.git('checkout', '-q', ...(isNew ? ['-b'] : []), branch);
      const made = repository.commit(changes);
      return { sha: made, answer: await tell(branch) };
    },
    close: async () => {
      await server.close();
      repository.remove();
    },
  };
}

export interface Receiver {
  url: string;
  received: { id: string; type: string; data: Record<string, unknown> }[];
  close(): Promise<void>;
}

/** An outside hook: keeps what it is told. */
export async function openReceiver(): Promise<Receiver> {
  const received: Receiver['received'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>;
      const type = String(request.headers['ce-type'] ?? body['type']);
      const id = String(request.headers['ce-id'] ?? body['id']);
      received.push({ id, type, data: (request.headers['ce-type'] ? body : body['data']) as Record<string, unknown> });
      response.writeHead(204).end();
    });
  });
  server.listen(0, fromEnv('TIDEMILL_TEST_HOST'));
  await once(server, 'listening');
  return {
    url: `http://${fromEnv('TIDEMILL_TEST_HOST')}:${(server.address() as AddressInfo).port}/hook`,
    received,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Every object of a kind in the projects' namespace. */
export async function all<K extends Kind>(installation: Installation, kind: K, ...args: string[]): Promise<Obj<K>[]> {
  const list = JSON.parse(await installation.kubectl('get', kind.toLowerCase(), '-o', 'json', ...args)) as { items: Obj<K>[] };
  return list.items;
}

/** Asks again until there is an answer. Throws what was last seen when there is none within the limit. */
export async function eventually<T>(what: string, limit_ms: number, ask: () => Promise<T | undefined>): Promise<T> {
  const until = Date.now() + limit_ms;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) throw new Error(`${what} did not come about within ${limit_ms / 1000} s`, { cause: last });
    await sleep(500);
  }
}

/** The execution of a commit, when it has ended. Fails with its message when it ended otherwise than wanted. */
export async function built(installation: Installation, sha: string, limit_ms = 240_000): Promise<Obj<'Execution'>> {
  const ended = await eventually(`the build of ${sha.slice(0, 12)}`, limit_ms, async () =>
    (await all(installation, 'Execution')).find(
      ({ spec, status }) => (status?.sha ?? spec.sha) === sha && ['Succeeded', 'Failed', 'Cancelled'].includes(status?.phase ?? ''),
    ),
  );
  if (ended.status?.phase !== 'Succeeded') throw new Error(`The build of ${sha} came to ${ended.status?.phase}: ${ended.status?.message}`);
  return ended;
}

/** What a site's page says, when it says what is wanted. */
export async function served(installation: Installation, site: string, wanted: string, limit_ms = 60_000): Promise<Answer> {
  return eventually(`${site} with ${JSON.stringify(wanted)} in it`, limit_ms, async () => {
    const answer = await installation.site('GET', '/', { host: `${site}.sites.test` });
    return answer.status === 200 && answer.body.includes(wanted) ? answer : undefined;
  });
}
