import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quiet } from '../../../test/support/webhook.ts';
import type { RawBody, RecordHead } from './frame.ts';
import { type Inbox, type InboxOptions, InboxUnavailable, openInbox } from './inbox.ts';

let directory = '';
let inbox: Inbox | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-inbox-'));
});
afterEach(async () => {
  await inbox?.close();
  inbox = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function reopen(options: Partial<InboxOptions> = {}): Promise<Inbox> {
  await inbox?.close();
  inbox = await openInbox({ directory, log: quiet, ...options });
  return inbox;
}

const HEAD: RecordHead = { event: 'push', contentType: 'json', received: '2026-11-21T10:00:00.000Z' };

/** In several chunks, as it comes from a socket. */
function bodyOf(text: string): RawBody {
  const bytes = Buffer.from(text);
  const chunks = [bytes.subarray(0, 3), bytes.subarray(3, 4), bytes.subarray(4)].filter((chunk) => chunk.length > 0);
  return { chunks, bytes: bytes.length, crc: crc32(bytes) };
}

const append = (to: Inbox, text: string): Promise<void> => to.append({ ...HEAD, delivery: text.slice(0, 8) }, bodyOf(text));

/** Drains into a list until all is handled. */
async function drained(from: Inbox): Promise<string[]> {
  const seen: string[] = [];
  from.drain(async (records) => records.forEach(({ body }) => seen.push(body.toString())));
  await from.caughtUp();
  return seen;
}

const segmentFiles = async () => (await readdir(directory)).filter((file) => file.endsWith('.seg')).sort();
const texts = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `body ${from + index} ${'x'.repeat(((from + index) * 37) % 700)}`);

test('hands on what was appended, in order, heads and bodies as they came', async () => {
  const box = await reopen();
  const wanted = texts(500);
  await Promise.all(wanted.map((text) => append(box, text)));
  const heads: RecordHead[] = [];
  const bodies: string[] = [];
  box.drain(async (records) => {
    for (const { head, body } of records) {
      heads.push(head);
      bodies.push(body.toString());
    }
  });
  await box.caughtUp();
  expect(bodies).toEqual(wanted);
  expect(heads[7]).toEqual({ ...HEAD, delivery: 'body 7 x' });
  expect(box.status()).toEqual({ backlog_bytes: 0 });
});

test('an empty body, and one larger than what is read at once, come through', async () => {
  const box = await reopen();
  const large = 'é'.repeat(700_000);
  for (const text of ['', large, 'after']) await append(box, text);
  expect(await drained(box)).toEqual(['', large, 'after']);
});

test('what was handled is not handed on again after a restart; what was not, is', async () => {
  const box = await reopen();
  await Promise.all(texts(10).map((text) => append(box, text)));
  expect(await drained(box)).toHaveLength(10);
  const again = await reopen();
  await Promise.all(texts(5, 10).map((text) => append(again, text)));
  const third = await reopen();
  expect(await drained(third)).toEqual(texts(5, 10));
  expect(await drained(await reopen())).toEqual([]);
});

test('segments are bounded, and deleted once all of them was handled', async () => {
  const box = await reopen({ segment_bytes: 4096 });
  for (const text of texts(60)) await append(box, text);
  expect((await segmentFiles()).length).toBeGreaterThan(4);
  expect(await drained(box)).toEqual(texts(60));
  await expect.poll(async () => (await segmentFiles()).length).toBeLessThanOrEqual(2);
  await reopen();
  await append(inbox!, 'one more');
  expect(await drained(inbox!)).toEqual(['one more']);
});

test('a number of a segment is never used twice, though all were deleted', async () => {
  for (let round = 0; round < 4; round++) {
    const box = await reopen({ segment_bytes: 100 });
    await append(box, `round ${round} ${'x'.repeat(200)}`);
    expect(await drained(box)).toHaveLength(1);
  }
});

test('what a handler throws at comes again until it is taken, in order, and says meanwhile what is in the way', async () => {
  const box = await reopen();
  await Promise.all(texts(6).map((text) => append(box, text)));
  const seen: string[] = [];
  let failures = 3;
  box.drain(async (records) => {
    if (failures-- > 0) throw new Error('storage is away');
    for (const { body } of records) seen.push(body.toString());
  });
  await expect.poll(() => box.status().trouble).toBe('storage is away');
  await box.caughtUp();
  expect(seen).toEqual(texts(6));
  expect(box.status().trouble).toBeUndefined();
});

test('closing does not wait for a handler’s next try', async () => {
  const box = await reopen();
  await append(box, 'stuck');
  box.drain(() => Promise.reject(new Error('never')));
  await expect.poll(() => box.status().trouble).toBe('never');
  await new Promise((resolve) => setTimeout(resolve, 500));
  const began = performance.now();
  await box.close();
  expect(performance.now() - began).toBeLessThan(300);
  inbox = undefined;
  expect(await drained(await reopen())).toEqual(['stuck']);
});

test('an append after closing is refused, one before it is kept', async () => {
  const box = await reopen();
  const kept = append(box, 'in time');
  await box.close();
  await kept;
  await expect(append(box, 'late')).rejects.toThrow(InboxUnavailable);
  inbox = undefined;
  expect(await drained(await reopen())).toEqual(['in time']);
});

test('so much may wait and no more; when it is handled, more is taken', async () => {
  const box = await reopen({ backlog_bytes: 5000 });
  const one = 'x'.repeat(1000);
  for (let count = 0; count < 4; count++) await append(box, one);
  await expect(append(box, one)).rejects.toThrow(/wait to be handled/);
  expect(await drained(box)).toHaveLength(4);
  await append(box, one);
});

for (const cut of [1, 5, 19, 20, 30])
  test(`a record torn ${cut} bytes before its end is left out, all before it are there, and writing goes on`, async () => {
    const box = await reopen();
    for (const text of texts(5)) await append(box, text);
    await box.close();
    inbox = undefined;
    const path = join(directory, (await segmentFiles())[0] ?? '');
    await truncate(path, (await readFile(path)).length - cut);
    const after = await reopen();
    await append(after, 'new');
    expect(await drained(after)).toEqual([...texts(4), 'new']);
  });

test('a tail of zeros or of noise, as a crash of the machine can leave it, is passed over', async () => {
  const box = await reopen();
  for (const text of texts(3)) await append(box, text);
  await box.close();
  inbox = undefined;
  const path = join(directory, (await segmentFiles())[0] ?? '');
  await writeFile(path, Buffer.concat([await readFile(path), Buffer.alloc(70_000), Buffer.from([0xf5, 0x54, 0x4d, 0xfe]), Buffer.alloc(30, 7)]));
  expect(await drained(await reopen())).toEqual(texts(3));
});

test('damage in the middle costs the record it hit and no other, and is said in the log', async () => {
  const box = await reopen();
  const wanted = texts(9);
  for (const text of wanted) await append(box, text);
  await box.close();
  inbox = undefined;
  const path = join(directory, (await segmentFiles())[0] ?? '');
  const at = (await readFile(path)).indexOf('body 4');
  const file = await open(path, 'r+');
  await file.write(Buffer.from('BODY'), 0, 4, at);
  await file.close();
  const errors: object[] = [];
  const seen = await drained(await reopen({ log: { ...quiet, error: (fields) => errors.push(fields) } }));
  expect(seen).toEqual(wanted.filter((_, index) => index !== 4));
  expect(errors).toHaveLength(1);
});

test('a body that looks like a record is not taken for one when the record before it is damaged', async () => {
  const box = await reopen();
  await append(box, 'inner');
  await box.close();
  inbox = undefined;
  const path = join(directory, (await segmentFiles())[0] ?? '');
  const frame = await readFile(path);
  const outer = await reopen();
  await outer.append(HEAD, { chunks: [Buffer.concat([Buffer.from('before '), frame.subarray(0, -1)])], bytes: frame.length + 6, crc: 1 });
  await append(outer, 'after');
  // The outer record's checksum is wrong, so it is damage; what it holds is no whole record either.
  expect(await drained(outer)).toEqual(['inner', 'after']);
});

for (const damage of [Buffer.alloc(0), Buffer.alloc(64, 1), Buffer.alloc(3)])
  test(`an unreadable cursor of ${damage.length} bytes means that what is kept is handed on again`, async () => {
    const box = await reopen();
    for (const text of texts(3)) await append(box, text);
    expect(await drained(box)).toHaveLength(3);
    await box.close();
    inbox = undefined;
    await writeFile(join(directory, 'cursor'), damage);
    const again = await reopen();
    await append(again, 'new');
    expect((await drained(again)).at(-1)).toBe('new');
  });

test('of a cursor torn in mid-write, the position before is taken', async () => {
  const box = await reopen();
  await append(box, 'first');
  expect(await drained(box)).toEqual(['first']);
  await append(box, 'second');
  await box.caughtUp();
  await box.close();
  inbox = undefined;
  const path = join(directory, 'cursor');
  const cursor = await readFile(path);
  const newer = cursor.readDoubleLE(0) > cursor.readDoubleLE(32) ? 0 : 32;
  cursor.fill(0, newer + 12, newer + 20);
  await writeFile(path, cursor);
  expect(await drained(await reopen())).toEqual(['second']);
});

test('handing on makes progress while requests never stop, and does not hold them up', async () => {
  const box = await reopen();
  let handled = 0;
  box.drain(async (records) => void (handled += records.length));
  const until = performance.now() + 700;
  let appended = 0;
  while (performance.now() < until) {
    await Promise.all(texts(20, appended).map((text) => append(box, text)));
    appended += 20;
  }
  expect(handled).toBeGreaterThan(0);
  expect(handled).toBeLessThan(appended);
  await box.caughtUp();
  expect(handled).toBe(appended);
});
