// The archive of logs: whole after any restart of its writer, one log out of two writers, bounded, and followed while it is written.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LogLine } from '../../ports/runner.ts';
import type { Storage } from '../../ports/storage.ts';
import { createFsStorage } from '../../storage/fs.ts';
import { createLogArchive } from './archive.ts';
import type { LogPosition, SourceLine } from './follow.ts';

const ref = { namespace: 'default', name: 'run' };
const never = new AbortController().signal;

let directory: string;
let storage: Storage;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-archive-'));
  storage = createFsStorage({ directory });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Two lines share each time. */
const line = (n: number, text = `line ${n}`): SourceLine => ({
  step: 'a',
  stream: 'stdout',
  time: `2026-01-01T00:00:00.${String(Math.floor(n / 2)).padStart(9, '0')}Z`,
  text,
  pod: 'pod-1',
});

/** The lines of a pod from 1 on, as a reader that goes on after `position` would give them. */
async function* source(position: LogPosition | undefined, count: number, pause: (n: number) => Promise<unknown> = async () => undefined) {
  let same = 0;
  for (let n = 1; n <= count; n++) {
    const each = line(n);
    if (position && (each.time < position.time || (each.time === position.time && ++same <= position.same))) continue;
    await pause(n);
    yield each;
  }
}

async function all(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for await (const each of lines) found.push(each);
  return found;
}

const whole = (count: number) => Array.from({ length: count }, (_, index) => [index + 1, `line ${index + 1}`]);
const seen = (lines: LogLine[]) => lines.map(({ seq, text }) => [seq, text]);

test('keeps every line, in chunks, and knows its end', async () => {
  const archive = createLogArchive({ storage });
  expect(await archive.isWhole(ref)).toBe(false);
  await archive.record(ref, (after) => source(after, 5000), never);
  expect(await archive.isWhole(ref)).toBe(true);
  const lines = await all(archive.read(ref, {}, async () => false));
  expect(seen(lines)).toEqual(whole(5000));
  expect(lines[0]).toEqual({ seq: 1, step: 'a', stream: 'stdout', time: '2026-01-01T00:00:00.000000000Z', text: 'line 1' });
  expect((await storage.list('logs/default/run/')).keys.length).toBeGreaterThan(1);
  expect(seen(await all(archive.read(ref, { after: 4990 }, async () => false)))).toEqual(whole(5000).slice(4990));
  expect(await all(archive.read(ref, { step: 'b' }, async () => false))).toEqual([]);
});

test('goes on where an earlier writer was cut off, without loss and without a line twice', async () => {
  const archive = createLogArchive({ storage });
  for (const stopAt of [1, 2, 3, 700, 701]) {
    const broken = archive.record(
      ref,
      (after) =>
        source(after, 1000, async (n) => {
          if (n > stopAt) throw new Error('killed');
        }),
      never,
    );
    await expect(broken).rejects.toThrow('killed');
  }
  await archive.record(ref, (after) => source(after, 1000), never);
  expect(seen(await all(archive.read(ref, {}, async () => false)))).toEqual(whole(1000));
  // Again, when all is there: nothing is read.
  await archive.record(ref, () => expect.fail('was opened'), never);
});

test('two writers at once leave one log', async () => {
  const archive = createLogArchive({ storage });
  const slow = (after: LogPosition | undefined) => source(after, 300, (n) => (n % 50 === 0 ? sleep(120) : Promise.resolve()));
  await Promise.all([archive.record(ref, slow, never), archive.record(ref, slow, never)]);
  expect(seen(await all(archive.read(ref, {}, async () => false)))).toEqual(whole(300));
});

test('is written soon, and told to who follows', async () => {
  const archive = createLogArchive({ storage });
  const gate = Promise.withResolvers<void>();
  const recording = archive.record(ref, (after) => source(after, 4, (n) => (n === 4 ? gate.promise : Promise.resolve())), never);
  const lines = archive.read(ref, { follow: true }, async () => true)[Symbol.asyncIterator]();
  const began = performance.now();
  for (const n of [1, 2, 3]) expect((await lines.next()).value).toMatchObject({ seq: n });
  expect(performance.now() - began).toBeLessThan(2000);
  gate.resolve();
  await recording;
  expect((await lines.next()).value).toMatchObject({ seq: 4 });
  expect((await lines.next()).done).toBe(true);
});

test('who follows is let go by its signal, and where nothing will come any more', async () => {
  const archive = createLogArchive({ storage });
  expect(await all(archive.read(ref, { follow: true }, async () => false))).toEqual([]);
  const stop = AbortSignal.timeout(50);
  expect(await all(archive.read(ref, { follow: true, signal: stop }, async () => true))).toEqual([]);
});

test('is cut at its limit and says so, also after a restart', async () => {
  const archive = createLogArchive({ storage, limit: 20_000 });
  await archive.record(ref, (after) => source(after, 100_000), never);
  const lines = await all(archive.read(ref, {}, async () => false));
  expect(lines.length).toBeLessThan(400);
  expect(lines.at(-1)).toMatchObject({ step: 'runner', text: 'The log was cut here: it has more than 20000 bytes.' });
});

test('another pod begins another chunk, and the note between them is kept once', async () => {
  const archive = createLogArchive({ storage });
  const note: SourceLine = { step: 'runner', stream: 'stderr', time: '2026-01-01T00:00:01Z', text: 'attempt 1 failed (StepFailed); trying again' };
  const broken = (async function* (): AsyncGenerator<SourceLine> {
    yield line(1);
    yield { ...line(2), pod: 'pod-2' };
    yield note;
    throw new Error('killed');
  })();
  await expect(archive.record(ref, () => broken, never)).rejects.toThrow('killed');
  let position: LogPosition | undefined;
  await archive.record(
    ref,
    (after) => {
      position = after;
      return source(undefined, 0);
    },
    never,
  );
  expect(position).toEqual({ pod: 'pod-2', step: 'a', time: line(2).time, same: 1, note: note.text });
});

describe('where Storage fails', () => {
  test('it is tried again until it works, and nothing is lost', async () => {
    let failures = 3;
    const put = vi.fn<Storage['put']>(async (...args) => {
      if (failures-- > 0) throw new Error('503 SlowDown');
      return storage.put(...args);
    });
    const warn = vi.fn<(fields: object, message: string) => void>();
    const archive = createLogArchive({ storage: { ...storage, put }, log: { warn } });
    await archive.record(ref, (after) => source(after, 100), never);
    expect(warn).toHaveBeenCalledTimes(3);
    expect(seen(await all(archive.read(ref, {}, async () => false)))).toEqual(whole(100));
  });

  test('an answer that was lost after the write is no reason for a second copy', async () => {
    let lost = 1;
    const put = vi.fn<Storage['put']>(async (...args) => {
      const info = await storage.put(...args);
      if (lost-- > 0) throw new Error('the answer was lost');
      return info;
    });
    const archive = createLogArchive({ storage: { ...storage, put } });
    await archive.record(ref, (after) => source(after, 100), never);
    expect(seen(await all(archive.read(ref, {}, async () => false)))).toEqual(whole(100));
  });
});
