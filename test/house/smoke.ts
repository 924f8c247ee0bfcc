// npm start as a newcomer types it: it serves the example, ends well on Ctrl-C, goes on where it was, and leaves nothing behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exit, kill, stdout } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { readServerInfo } from '../../shared/host/machine/server-info.ts';
import { send } from '../support/machine.ts';
import { ROOT } from './files.ts';

const SITE_LIMIT_MS = 60_000;
const END_LIMIT_MS = 30_000;

const folder = mkdtempSync(join(tmpdir(), 'tidemill-smoke-'));
const data = join(folder, 'data');
let passed = 0;
let failed = 0;

function check(what: string, holds: boolean, more = ''): void {
  stdout.write(`${holds ? '✓' : '✗'} ${what}${more && ` (${more})`}\n`);
  if (holds) passed += 1;
  else failed += 1;
}

interface Started {
  child: ChildProcess;
  said: () => string;
  ended: Promise<number | null>;
}

/** In a process group of its own, as a terminal makes it: a Ctrl-C there goes to npm and to all that it started. */
function start(): Started {
  const child = spawn('npm', ['start', '--', '--data', data, '--port', '0'], { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return { child, said: () => output, ended: new Promise((done) => child.once('close', done)) };
}

/** The page of the first site that answers with 200, asked for as a browser would. */
async function page(port: number, label: string): Promise<string | undefined> {
  // Refused while the server is starting: that is what is waited for.
  const answer = await send(port, 'GET', '/', { host: `${label}.localhost:${port}` }).catch(() => undefined);
  return answer?.status === 200 ? answer.text : undefined;
}

async function until<T>(limit_ms: number, ask: () => Promise<T | undefined>, over = () => false): Promise<T | undefined> {
  for (const end = Date.now() + limit_ms; Date.now() < end && !over(); await sleep(50)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  return undefined;
}

async function portOf(): Promise<number | undefined> {
  const info = await readServerInfo(data);
  return info && Number(new URL(info.url).port);
}

function alive(group: number): boolean {
  try {
    return kill(-group, 0);
  } catch {
    return false; // ESRCH: the whole group is gone.
  }
}

async function end({ child, said, ended }: Started, name: string): Promise<void> {
  const group = child.pid ?? 0;
  if (alive(group)) kill(-group, 'SIGINT');
  const code = await Promise.race([ended, sleep(END_LIMIT_MS, 'still running' as const, { ref: false })]);
  check(`${name}: Ctrl-C ends it with exit code 0`, code === 0, String(code));
  const gone = await until(3000, () => Promise.resolve(alive(group) ? undefined : true));
  check(`${name}: no process is left`, gone === true);
  if (!gone) kill(-group, 'SIGKILL');
  if (code !== 0) stdout.write(`${said()}\n`);
}

async function visit(name: string): Promise<void> {
  const began = performance.now();
  const started = start();
  const html = await until(
    SITE_LIMIT_MS,
    async () => {
      const port = await portOf();
      return port === undefined ? undefined : page(port, 'example');
    },
    () => started.child.exitCode !== null,
  );
  check(`${name}: the example is served`, html !== undefined, `${((performance.now() - began) / 1000).toFixed(1)} s`);
  check(`${name}: it was built from a commit`, /built and released by tidemill/.test(html ?? ''));
  if (html === undefined) stdout.write(`${started.said()}\n`);
  else check(`${name}: it says where to look`, /http:\/\/example\.localhost:\d+/.test(started.said()));
  await end(started, name);
}

const before = readdirSync(ROOT).join();
await visit('first start');
await visit('second start');
check('nothing was written outside of the data folder', readdirSync(ROOT).join() === before);
rmSync(folder, { recursive: true, force: true });
stdout.write(`${passed} passed, ${failed} failed\n`);
exit(failed === 0 ? 0 : 1);
