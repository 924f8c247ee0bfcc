// Logs: bounded, whole after a kill, and followed while they are trimmed.
import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LogLine } from '../../ports/runner.ts';
import { createLogStore } from './logs.ts';

const ref = { namespace: 'default', name: 'run' };
const line = (text: string) => ({ step: 'a', stream: 'stdout' as const, time: '2026-01-01T00:00:00.000Z', text });

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-logs-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function all(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for await (const each of lines) found.push(each);
  return found;
}

test('is kept to its latest part, says so, and goes on counting', async () => {
  const store = createLogStore(directory, 20_000);
  const writer = await store.writer(ref);
  for (let n = 1; n <= 2000; n++) await writer.append(line(`line ${n}`));
  await writer.close();
  const lines = await all(store.read(ref, {}, () => false));
  expect((await stat(join(directory, 'default', 'run.jsonl'))).size).toBeLessThan(40_000);
  expect(lines[0]).toMatchObject({ step: 'runner', text: expect.stringContaining('are gone') });
  expect(lines.at(-1)).toMatchObject({ seq: 2000, text: 'line 2000' });
  const seqs = lines.map((each) => each.seq);
  expect(seqs).toEqual(seqs.map((_, index) => seqs[0]! + index));
});

test('a reader that follows is told every line that is kept, also over a trim', async () => {
  const store = createLogStore(directory, 20_000);
  const writer = await store.writer(ref);
  let live = true;
  const following = all(store.read(ref, { follow: true }, () => live));
  for (let n = 1; n <= 1000; n++) {
    await writer.append(line(`line ${n}`));
    if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await writer.close();
  live = false;
  store.changed(ref);
  const seqs = (await following).map((each) => each.seq);
  expect(seqs.at(-1)).toBe(1000);
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  expect(new Set(seqs).size).toBe(seqs.length);
});

test('a line that a kill cut off is taken away, and the next goes on from the last whole one', async () => {
  const store = createLogStore(directory);
  const first = await store.writer(ref);
  await first.append(line('one'));
  await first.append(line('two'));
  await first.close();
  await appendFile(join(directory, 'default', 'run.jsonl'), '{"seq":3,"step":"a","te');
  const second = await store.writer(ref);
  await second.append(line('three ✓ é'));
  await second.close();
  expect((await all(store.read(ref, {}, () => false))).map(({ seq, text }) => [seq, text])).toEqual([
    [1, 'one'],
    [2, 'two'],
    [3, 'three ✓ é'],
  ]);
});

test('a log that cannot be written fails at its end, not in between', async () => {
  const store = createLogStore(directory);
  const writer = await store.writer(ref);
  await writer.append(line('one'));
  await writer.close();
  await expect(Promise.resolve(writer.append(line('late'))).then(() => writer.close())).rejects.toThrow();
});

test('many lines are taken without stopping everything else', async () => {
  const store = createLogStore(directory, 4 << 20);
  const writer = await store.writer(ref);
  let longest = 0;
  let last = performance.now();
  const ticks = setInterval(() => ((longest = Math.max(longest, performance.now() - last)), (last = performance.now())), 1);
  for (let n = 1; n <= 200_000; n++) await writer.append(line(`line ${n} ${'x'.repeat(50)}`));
  await writer.close();
  clearInterval(ticks);
  expect(longest).toBeLessThan(250);
  expect((await stat(join(directory, 'default', 'run.jsonl'))).size).toBeLessThan(5 << 20);
});
