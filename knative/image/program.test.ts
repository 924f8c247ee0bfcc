// The program as the image has it: the same bytes wherever it is made, and each of its processes starts with the code that V8 kept of it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { Script } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { functions } from '../../functions/graph.ts';
import { codeOf } from './code.ts';
import type { Entry } from './layers/entry.ts';
import { bundleProgram } from './program.ts';

const LONG_MS = 60_000;
let folder = '';
let app: Entry[];
let code: Entry[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-program-'));
  app = await bundleProgram();
  code = await codeOf(app, execPath);
  for (const entry of [...app, ...code]) {
    if (entry.type !== 'file') continue;
    await mkdir(dirname(join(folder, entry.path)), { recursive: true });
    await writeFile(join(folder, entry.path), entry.body);
  }
}, LONG_MS);
afterAll(() => rm(folder, { recursive: true, force: true }));

const bodyOf = (path: string) => {
  const entry = [...app, ...code].find((one) => one.path === path);
  return entry?.type === 'file' ? entry.body : Buffer.alloc(0);
};

test('each function of the graph, each edge and the steps are there, and the script twice the same', { timeout: LONG_MS }, async () => {
  const names = app.map(({ path }) => basename(path));
  const wanted = [...Object.keys(functions), 'api', 'bytes', 'dead-letters', 'github-webhook', 'site', 'watcher', 'step'];
  expect(names).toEqual(expect.arrayContaining(wanted.map((name) => `${name}.mjs`)));
  const again = await bundleProgram();
  expect(again).toEqual(app);
  expect(await codeOf(again, execPath)).toEqual(code);
});

// Two of one length: V8 remembers what it compiled in this process, and would take that.
test.each([
  ['edges', '\n'],
  ['functions', ' '],
])('V8 takes the code that was kept for %s, and refuses it for another script', (part, end) => {
  const source = `(function (exports, require, module) {${bodyOf('app/tidemill.cjs').toString('latin1')}${end}})`;
  const cachedData = bodyOf(`app/${part}.code`);
  expect(new Script(source, { cachedData }).cachedDataRejected).toBe(false);
  expect(new Script(`${source};// ${part}`, { cachedData }).cachedDataRejected).toBe(true);
});

test.each([
  ['with the code', true],
  ['without it', false],
])('a process says what it lacks, and ends with 1: %s', { timeout: LONG_MS }, async (_, isThere) => {
  for (const [name, part] of [
    ['git-push', 'functions'],
    ['api', 'edges'],
  ] as const) {
    const path = join(folder, `app/${part}.code`);
    await (isThere ? writeFile(path, bodyOf(`app/${part}.code`)) : rm(path, { force: true }));
    const child = spawn(execPath, [join(folder, 'app', `${name}.mjs`)], { env: { PORT: '0', HOME: folder }, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [status] = (await once(child, 'close')) as [number | null];
    expect({ name, status, said }).toMatchObject({ name, status: 1, said: expect.stringMatching(/"this function cannot start"/) });
    expect(said).toMatch(name === 'api' ? /TIDEMILL_S3_BUCKET is not set/ : /TIDEMILL_NATS_URL is not set/);
  }
});
