import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestOf } from '../digests/digest.ts';
import { STEP_ENV } from './step-environment.ts';

const PROGRAM = join(import.meta.dirname, '../../functions/in-cluster/entries/step.ts');
let directory: string;
let server: ReturnType<typeof createServer>;
let env: Record<string, string>;
let stored: Set<string>;
let asked: () => void;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-step-'));
  await mkdir(join(directory, 'source/dist'), { recursive: true });
  await mkdir(join(directory, 'tmp'));
  await writeFile(join(directory, 'token'), 'token');
  await writeFile(join(directory, 'source/dist/index.html'), '<p>');
  stored = new Set();
  asked = () => {};
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      asked();
      if (request.method === 'PUT') stored.add(digestOf(body));
      const { blobs = [] } = request.method === 'POST' ? (JSON.parse(body.toString()) as { blobs?: { digest: string; size: number }[] }) : {};
      response.end(
        JSON.stringify({
          blobs: blobs.map(({ digest, size }) => ({ url: `${env[STEP_ENV.bytesUrl]}/${digest}`, headers: { 'content-length': String(size) } })),
        }),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const results = Object.fromEntries(['manifest', 'archive', 'files', 'size', 'packageVersion'].map((name) => [name, join(directory, name)]));
  env = {
    PATH: process.env['PATH']!,
    TMPDIR: join(directory, 'tmp'),
    [STEP_ENV.workspaces]: JSON.stringify({ source: join(directory, 'source'), unbound: '' }),
    [STEP_ENV.results]: JSON.stringify(results),
    [STEP_ENV.bytesUrl]: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [STEP_ENV.tokenFile]: join(directory, 'token'),
  };
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  await rm(directory, { recursive: true, force: true });
});

async function run(args: string[], began?: (child: ReturnType<typeof spawn>) => void): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, ...args], {
    env,
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  began?.(child);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said };
}

it('stores an output, writes its results, and ends with 0; again, it comes to the same', async () => {
  for (let time = 1; time <= 2; time++) {
    const { code, said } = await run(['output', '{}']);
    expect([code, said]).toEqual([0, expect.stringMatching(/^1 file, 3 bytes of dist stored in \d+ ms as sha256:/)]);
    expect(await readFile(join(directory, 'files'), 'utf8')).toBe('1');
    const [manifest, archive] = await Promise.all(['manifest', 'archive'].map((name) => readFile(join(directory, name), 'utf8')));
    expect([...stored].sort()).toEqual([digestOf(Buffer.from('<p>')), manifest!, archive!].sort());
  }
});

it('ends with 1, and a sentence, where it cannot do its work', async () => {
  expect(await run(['nope'])).toEqual({ code: 1, said: 'There is no step "nope"; there are source and output\n' });
  expect(await run(['source', '{}'])).toMatchObject({ code: 1, said: expect.stringContaining('input that it cannot use: url') });
  delete env[STEP_ENV.bytesUrl];
  expect(await run(['output', '{}'])).toEqual({
    code: 1,
    said: `${STEP_ENV.bytesUrl} is not set: this program runs as a step of a TaskRun that tidemill started\n`,
  });
  env[STEP_ENV.workspaces] = '["/"]'.slice(1);
  expect((await run(['output', '{}'])).said).toContain(`${STEP_ENV.workspaces} cannot be read`);
});

it('ends with 143 when it is told to stop', async () => {
  server.removeAllListeners('request');
  const { promise, resolve } = Promise.withResolvers<void>();
  server.on('request', () => resolve());
  const { code, said } = await run(['output', '{}'], (child) => void promise.then(() => child.kill('SIGTERM')));
  expect([code, said]).toEqual([143, expect.stringContaining('SIGTERM')]);
});
