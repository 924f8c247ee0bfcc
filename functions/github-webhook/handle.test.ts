import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TidemillEvent } from '../../shared/events/event.ts';
import type { Digest } from '../../shared/ports/storage.ts';
import { pushBody } from '../../test/support/github.ts';
import { quiet } from '../../test/support/webhook.ts';
import { openDeadLetters } from './dead-letters.ts';
import { createHandler, type HandleDeps, redriveDeadLetter } from './handle.ts';
import type { RecordHead } from './inbox/frame.ts';
import { openInbox } from './inbox/inbox.ts';
import { crc32 } from 'node:zlib';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-handle-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const HEAD: RecordHead = { event: 'push', contentType: 'json', received: '2026-11-21T10:00:00.000Z', delivery: 'd-1' };
const push = (after = 'a'.repeat(40)) => pushBody({ repository: 'https://github.com/example/site.git', after });
const broken = Buffer.from('{"ref":5}');

interface Bench extends HandleDeps {
  blobs: Map<Digest, Buffer>;
  published: TidemillEvent[];
  log: HandleDeps['log'];
}

/** Storage and broker in memory: what the handler does with them is what is tested here; they have contracts of their own. */
async function bench(changes: Partial<HandleDeps> = {}): Promise<Bench> {
  const blobs = new Map<Digest, Buffer>();
  const published: TidemillEvent[] = [];
  const storage: HandleDeps['storage'] = {
    putBlob: async (body) => {
      const chunks: Uint8Array[] = [];
      if (body instanceof Uint8Array) chunks.push(body);
      else for await (const chunk of body) chunks.push(Buffer.from(chunk));
      const bytes = Buffer.concat(chunks);
      const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      blobs.set(digest, bytes);
      return { digest, size: bytes.length };
    },
    getBlob: async (digest) => {
      const bytes = blobs.get(digest);
      return bytes && { body: Readable.from([bytes]), size: bytes.length };
    },
  };
  const broker: HandleDeps['broker'] = { publish: async (events) => void published.push(...events) };
  return { blobs, published, storage, broker, deadLetters: await openDeadLetters(join(directory, 'dead')), log: quiet, ...changes };
}

test('the raw body is stored, and the event refers to it', async () => {
  const deps = await bench();
  await createHandler(deps)([{ head: HEAD, body: push() }]);
  expect(deps.published).toHaveLength(1);
  const { body } = deps.published[0]!.data as { body: Digest };
  expect(deps.blobs.get(body)?.equals(push())).toBe(true);
});

test('events are published only when all their bodies are stored, and in the order they came', async () => {
  const deps = await bench();
  const stored: number[] = [];
  const storage: HandleDeps['storage'] = {
    ...deps.storage,
    putBlob: async (body) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      stored.push(deps.published.length);
      return deps.storage.putBlob(body);
    },
  };
  const afters = ['1', '2', '3', '4', '5'].map((digit) => digit.repeat(40));
  await createHandler({ ...deps, storage })(afters.map((after) => ({ head: HEAD, body: push(after) })));
  expect(stored).toEqual([0, 0, 0, 0, 0]);
  expect(deps.published.map(({ data }) => (data as { after: string }).after)).toEqual(afters);
});

test('a failure of storage or broker is thrown, and nothing is published before the bodies are stored', async () => {
  const deps = await bench();
  const full = { ...deps.storage, putBlob: () => Promise.reject(new Error('no room')) };
  await expect(createHandler({ ...deps, storage: full })([{ head: HEAD, body: push() }])).rejects.toThrow('no room');
  expect(deps.published).toEqual([]);
  const away = { publish: () => Promise.reject(new Error('broker is away')) };
  await expect(createHandler({ ...deps, broker: away })([{ head: HEAD, body: push() }])).rejects.toThrow('broker is away');
});

test('done twice, as after a kill, it publishes the same event', async () => {
  const deps = await bench();
  const handle = createHandler(deps);
  await handle([{ head: HEAD, body: push() }]);
  await handle([{ head: { ...HEAD, delivery: 'd-2' }, body: push() }]);
  expect(deps.published[1]).toEqual(deps.published[0]);
});

test('what cannot be understood is a dead letter with its reason and its body kept; the others go on', async () => {
  const deps = await bench();
  const handle = createHandler(deps);
  const records = [broken, push(), Buffer.from('nonsense')].map((body) => ({ head: HEAD, body }));
  await handle(records);
  await handle(records);
  expect(new Set(deps.published.map(({ id }) => id)).size).toBe(1);
  const letters = await deps.deadLetters.list();
  expect(letters).toHaveLength(2);
  for (const letter of letters) {
    expect(letter).toMatchObject({ subscription: 'github-webhook', attempts: 1, at: HEAD.received, event: { head: HEAD } });
    expect(letter.reason.length).toBeGreaterThan(10);
    expect(deps.blobs.has(letter.event.body)).toBe(true);
  }
});

test('dead letters come in pages, oldest first, and outlive the process', async () => {
  const deps = await bench();
  const minutes = [3, 1, 2];
  for (const minute of minutes) await createHandler(deps)([{ head: { ...HEAD, received: `2026-11-21T10:0${minute}:00.000Z` }, body: broken }]);
  const again = await openDeadLetters(join(directory, 'dead'));
  const first = await again.list({ limit: 2 });
  expect(first.map(({ at }) => at)).toEqual(['2026-11-21T10:01:00.000Z', '2026-11-21T10:02:00.000Z']);
  expect((await again.list({ after: first[1]!.id })).map(({ at }) => at)).toEqual(['2026-11-21T10:03:00.000Z']);
  expect(await again.get('../../etc/passwd')).toBeUndefined();
  expect(await again.get('webhook-nothere000')).toBeUndefined();
});

test('a dead letter that is tried again stays with its reason, or goes when it is understood', async () => {
  const deps = await bench();
  await createHandler(deps)([{ head: HEAD, body: broken }]);
  const [letter] = await deps.deadLetters.list();
  expect(await redriveDeadLetter(letter!.id, deps)).toContain('ref');
  expect(await deps.deadLetters.list()).toHaveLength(1);

  // As after an update: the same bytes mean something now.
  deps.blobs.set(letter!.event.body, push());
  expect(await redriveDeadLetter(letter!.id, deps)).toBeUndefined();
  expect(deps.published).toHaveLength(1);
  expect(await deps.deadLetters.list()).toEqual([]);
  await expect(redriveDeadLetter(letter!.id, deps)).rejects.toThrow('no dead letter');
});

test('a webhook that nothing follows from is said in the log with its reason', async () => {
  const said: object[] = [];
  const deps = await bench({ log: { ...quiet, info: (fields) => said.push(fields) } });
  await createHandler(deps)([
    { head: HEAD, body: pushBody({ repository: 'https://github.com/a/b.git', ref: 'refs/tags/v1', before: 'a'.repeat(40), after: '0'.repeat(40) }) },
  ]);
  expect(deps.published).toEqual([]);
  expect(said).toEqual([expect.objectContaining({ delivery: 'd-1', reason: expect.stringContaining('refs/tags/v1') })]);
});

const MB = 1024 * 1024;

test('25 MB are kept, stored and understood without holding up the event loop', async () => {
  const payload = JSON.parse(push().toString()) as object;
  const commits = Array.from({ length: 90_000 }, (_, index) => ({
    id: String(index).padStart(40, '0'),
    message: 'x'.repeat(180),
    added: [],
    removed: [],
    modified: [`file-${index}`],
  }));
  const body = Buffer.from(JSON.stringify({ ...payload, commits }));
  expect(body.length).toBeGreaterThan(20 * MB);
  const deps = await bench();
  const inbox = await openInbox({ directory: join(directory, 'inbox'), log: quiet });
  const crc = crc32(body);
  const loop = monitorEventLoopDelay({ resolution: 1 });
  await inbox.append(HEAD, { chunks: [body], bytes: body.length, crc });
  loop.enable();
  inbox.drain(createHandler({ ...deps, storage: { ...deps.storage, putBlob: digestOnly } }));
  await inbox.caughtUp();
  loop.disable();
  await inbox.close();
  expect(deps.published).toHaveLength(1);
  // Parsed here it would be held up for a quarter of a second. The bound leaves room for a machine that is busy with other tests.
  expect(loop.max / 1e6).toBeLessThan(100);
});

async function digestOnly(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    hash.update(chunk);
    size += chunk.byteLength;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

test('a large body that is one heap of tiny objects is understood or refused, and the process lives', async () => {
  const body = Buffer.from(`{"a":[${'{},'.repeat(8_000_000)}{}]}`);
  const deps = await bench();
  await createHandler(deps)([{ head: HEAD, body }]);
  expect((await deps.deadLetters.list()).map(({ reason }) => reason)).toEqual([expect.stringMatching(/ref|MB/)]);
}, 60_000);
