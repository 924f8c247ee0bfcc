import { describe, expect, test, vi } from 'vitest';
import { merge } from './merge.ts';
import { ndjson } from './ndjson.ts';

async function* from<T>(...values: T[]): AsyncGenerator<T> {
  for (const value of values) yield value;
}

describe('merge', () => {
  test('gives every item once, each source in its order, and what is added on the way', async () => {
    const all = merge<string>();
    all.add(from('a1', 'a2', 'a3'));
    all.add(from('b1', 'b2'));
    const seen: string[] = [];
    for await (const item of all) {
      seen.push(item);
      if (item === 'a1') all.add(from('c1', 'c2'));
    }
    expect(seen.toSorted()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1', 'c2']);
    for (const letter of ['a', 'b', 'c'])
      expect(seen.filter((item) => item.startsWith(letter))).toEqual(seen.filter((item) => item.startsWith(letter)).toSorted());
  });

  test('the error of one source ends all', async () => {
    const all = merge<number>();
    all.add(
      (async function* () {
        yield 1;
        throw new Error('broken');
      })(),
    );
    all.add(endless());
    await expect(
      (async () => {
        for await (const _ of all);
      })(),
    ).rejects.toThrow('broken');
  });
});

async function* endless(): AsyncGenerator<number> {
  for (let n = 0; ; n++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield n;
  }
}

describe('ndjson', () => {
  test('one value a line', async () => {
    expect(await ndjson(() => from({ a: 1 }, { b: '\n' })).text()).toBe('{"a":1}\n{"b":"\\n"}\n');
  });

  test('produces no faster than the reader takes', async () => {
    let made = 0;
    const response = ndjson(async function* () {
      for (;;) yield { n: made++, padding: 'x'.repeat(10_000) };
    });
    const reader = response.body!.getReader();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(made).toBeLessThan(10);
    await reader.cancel();
  });

  test('the signal fires when the reader goes away, even while nothing comes', async () => {
    let aborted = false;
    const response = ndjson(async function* (signal) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      aborted = signal.aborted;
      yield 1;
    });
    const reader = response.body!.getReader();
    const pending = reader.read();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await reader.cancel();
    await pending;
    await vi.waitFor(() => expect(aborted).toBe(true));
  });

  test('an error in mid-stream breaks the connection off, so that a part is not taken for the whole', async () => {
    const response = ndjson(async function* () {
      yield 1;
      throw new Error('the log is gone');
    });
    await expect(response.text()).rejects.toThrow('the log is gone');
  });

  test('a blank line now and then while nothing comes', async () => {
    vi.useFakeTimers();
    try {
      const response = ndjson(async function* () {
        await new Promise((resolve) => setTimeout(resolve, 40_000));
        yield 'late';
      });
      const text = response.text();
      await vi.advanceTimersByTimeAsync(41_000);
      expect(await text).toBe('\n\n"late"\n');
    } finally {
      vi.useRealTimers();
    }
  });
});
