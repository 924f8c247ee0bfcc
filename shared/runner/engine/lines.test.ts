// Lines out of bytes, and secrets that never get through.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLineSplitter, createMask } from './lines.ts';

function split(chunks: readonly Buffer[], ...secrets: string[]): string[] {
  const mask = createMask();
  for (const secret of secrets) mask.add(secret);
  const splitter = createLineSplitter(mask);
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
}

const buffers = (text: string, at: number) => {
  const bytes = Buffer.from(text);
  return [bytes.subarray(0, at), bytes.subarray(at)];
};

describe('lines', () => {
  test('are the same wherever the bytes are parted', () => {
    const text = 'één\r\ntwo ✓\n\nno end';
    for (let at = 0; at <= Buffer.byteLength(text); at++) expect(split(buffers(text, at))).toEqual(['één', 'two ✓', '', 'no end']);
  });

  test('that are too long come in pieces, with nothing lost', () => {
    const lines = split([Buffer.from('x'.repeat(100_000)), Buffer.from('\nafter\n')]);
    expect(lines.at(-1)).toBe('after');
    expect(lines.slice(0, -1).join('')).toBe('x'.repeat(100_000));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(32_768);
  });
});

describe('secrets', () => {
  test('are masked wherever the bytes are parted', () => {
    const text = 'before s3cr3t after\ns3cr3t\n';
    for (let at = 0; at <= text.length; at++) expect(split(buffers(text, at), 's3cr3t')).toEqual(['before *** after', '***']);
  });

  test('are masked in a line without end, wherever in it they stand', () => {
    fc.assert(
      fc.property(fc.integer({ min: 32_700, max: 32_800 }), fc.integer({ min: 1, max: 40_000 }), (before, size) => {
        const text = `${'x'.repeat(before)}s3cr3t-value${'y'.repeat(40_000)}`;
        const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => Buffer.from(text.slice(index * size, (index + 1) * size)));
        expect(split(chunks, 's3cr3t-value').join('')).not.toContain('s3cr3t-value');
      }),
      { numRuns: 50 },
    );
  });

  test('of several lines are masked line by line; short ones hide nothing else', () => {
    expect(split([Buffer.from('-----KEY\nabc\ny\n')], '-----KEY\nabc\n', 'y')).toEqual(['***', '***', 'y']);
  });
});
