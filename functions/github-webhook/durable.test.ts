// In a process of its own: traced, killed, and on a disk that is full.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pushBody } from '../../test/support/github.ts';
import { post, quiet, SECRET } from '../../test/support/webhook.ts';
import { openInbox } from './inbox/inbox.ts';

const SCRIPT = fileURLToPath(new URL('../../test/support/webhook-process.ts', import.meta.url));

function works(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    // Not there, or not allowed.
    return false;
  }
}

let directory = '';
let running: Child | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-durable-'));
});
afterEach(async () => {
  if (running && running.process.exitCode === null && running.process.signalCode === null) {
    running.process.kill('SIGKILL');
    await once(running.process, 'exit');
  }
  running = undefined;
  await rm(directory, { recursive: true, force: true });
});

interface Child {
  process: ChildProcess;
  port: number;
  lines: Interface;
}

async function start(wrapper: string[], mode = 'keep'): Promise<Child> {
  const [command, ...args] = [...wrapper, process.execPath, SCRIPT, directory, SECRET, mode];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [port] = (await once(lines, 'line')) as [string];
  running = { process: child, port: Number(port), lines };
  return running;
}

async function tell(child: Child, command: string): Promise<string> {
  child.process.stdin?.write(`${command}\n`);
  const [line] = (await once(child.lines, 'line')) as [string];
  return line;
}

async function end(child: Child): Promise<void> {
  child.process.stdin?.end();
  await once(child.process, 'exit');
}

function distinct(index: number): Buffer {
  const sha = createHash('sha1').update(String(index)).digest('hex');
  return pushBody({ repository: 'https://github.com/example/site.git', after: sha, pushedAt: 1_790_000_000 + index });
}

const digestOf = (body: Buffer) => createHash('sha256').update(body).digest('hex');

/** Digests of what a process that ended left unhandled. */
async function leftBehind(): Promise<Set<string>> {
  const inbox = await openInbox({ directory: join(directory, 'inbox'), log: quiet });
  const found = new Set<string>();
  inbox.drain(async (records) => records.forEach(({ body }) => found.add(digestOf(body))));
  await inbox.caughtUp();
  await inbox.close();
  return found;
}

// Without its tool a test fails where all tests have to run, and is left out on a laptop.
test.runIf(works('strace', '-V') || process.env.CI)(
  'the answer is written after the sync has returned, as strace sees it',
  async () => {
    const trace = join(directory, 'trace');
    const child = await start(['strace', '-f', '-y', '-s', '32', '-e', 'trace=fdatasync,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg', '-o', trace]);
    for (let index = 0; index < 3; index++) expect((await post(child.port, distinct(index))).status).toBe(202);
    await end(child);
    const seen = (await readFile(trace, 'utf8')).split('\n').flatMap((line) => kindOfCall(line) ?? []);
    expect(seen.filter((call) => call !== 'sync begins')).toEqual([
      'record written',
      'synced',
      'answered',
      'record written',
      'synced',
      'answered',
      'record written',
      'synced',
      'answered',
    ]);
  },
  60_000,
);

/** What a line of the trace shows of accepting; a call that another thread interrupts is told in two lines, and counts when it returns. */
function kindOfCall(line: string): string | undefined {
  if (/ fdatasync\(.*\.seg>.*<unfinished/.test(line)) return 'sync begins';
  if (/ fdatasync\(.*\.seg>\)\s+= 0|<\.\.\. fdatasync resumed>.*= 0/.test(line)) return 'synced';
  if (/ p?writev?\d*\(.*\.seg>/.test(line) || / pwrite64\(.*\.seg>/.test(line)) return 'record written';
  return line.includes('HTTP/1.1 202') ? 'answered' : undefined;
}

test.for([1, 2, 3, 4, 5])('killed while accepting, reopened: everything answered 202 is there (%i)', async () => {
  const child = await start([]);
  const answered = new Set<string>();
  let next = 0;
  const send = async (): Promise<void> => {
    for (;;) {
      const body = distinct(next++);
      const answer = await post(child.port, body).catch(() => undefined);
      if (!answer) return;
      if (answer.status === 202) answered.add(digestOf(body));
    }
  };
  const senders = Promise.all(Array.from({ length: 16 }, send));
  await expect.poll(() => answered.size, { timeout: 20_000 }).toBeGreaterThan(20);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
  child.process.kill('SIGKILL');
  await senders;
  const kept = await leftBehind();
  expect([...answered].filter((digest) => !kept.has(digest))).toEqual([]);
});

test('killed while draining and started again, time after time: nothing is left out, and handled segments are deleted', async () => {
  const answered = new Set<string>();
  for (let round = 0, next = 0; round < 4; round++) {
    const child = await start([], 'handle');
    const bodies = Array.from({ length: 100 }, () => distinct(next++));
    await Promise.all(
      bodies.map(async (body) => {
        if ((await post(child.port, body)).status === 202) answered.add(digestOf(body));
      }),
    );
    child.process.kill('SIGKILL');
    await once(child.process, 'exit');
  }
  const left = await leftBehind();
  const handled = new Set((await readFile(join(directory, 'handled'), 'utf8').catch(() => '')).split('\n'));
  expect(answered.size).toBe(400);
  expect([...answered].filter((digest) => !handled.has(digest) && !left.has(digest))).toEqual([]);
  expect(await leftBehind()).toEqual(new Set());
});

/** As root, or as whoever may be root in a namespace of their own. */
const UNSHARE = [
  ['unshare', '--mount'],
  ['unshare', '--user', '--map-root-user', '--mount'],
].find(([command, ...args]) => works(command!, ...args, 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'));

test.runIf(UNSHARE || process.env.CI)('disk full: 503 and never 202; taken again when there is room, and what was answered 202 before is there', async () => {
  // A small file system of its own, seen by the child alone and gone with it.
  const mount = 'mount -t tmpfs -o size=2m tmpfs "$1" && shift && exec "$@"';
  const child = await start([...UNSHARE!, 'sh', '-c', mount, 'sh', directory]);
  const accepted: Buffer[] = [];
  const send = async (index: number): Promise<number> => {
    const { status, body, headers } = await post(child.port, distinct(index));
    if (status === 202) accepted.push(distinct(index));
    else
      expect({ status, error: body.error, retry: headers.get('retry-after') }).toEqual({
        status: 503,
        error: expect.stringContaining('ENOSPC'),
        retry: '10',
      });
    return status;
  };
  expect(await send(0)).toBe(202);
  await tell(child, 'fill');
  // The last page of the segment may still take some.
  let next = 1;
  while (next < 20 && (await send(next++)) === 202);
  for (const end = next + 20; next < end; next++) expect(await send(next)).toBe(503);
  const together = await Promise.all(Array.from({ length: 20 }, () => send(next++)));
  expect(new Set(together)).toEqual(new Set([503]));

  await tell(child, 'free');
  for (const end = next + 5; next < end; next++) expect(await send(next)).toBe(202);
  const handled = new Set(JSON.parse(await tell(child, 'handled')) as string[]);
  expect(accepted.map(digestOf).filter((digest) => !handled.has(digest))).toEqual([]);
  await end(child);
});
