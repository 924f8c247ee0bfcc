import { describe, expect, test } from 'vitest';
import { ago, bytes, counted, duration, table } from './format.ts';
import { plain, styleOf } from './io.ts';

describe('format', () => {
  test.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [1234, '1.2 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min 00 s'],
    [65_000, '1 min 05 s'],
    [3_599_600, '1 h 00 min'],
    [7_380_000, '2 h 03 min'],
    [-5, '0 ms'],
  ])('%d ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1500, '1.5 KB'],
    [999_600, '1.0 MB'],
    [20_400_000, '20 MB'],
    [5e15, '5000 TB'],
  ])('%d bytes are %s', (size, text) => expect(bytes(size)).toBe(text));

  test('how long ago', () => {
    const at = (seconds: number) => ago(new Date(1_000_000_000_000 - seconds * 1000).toISOString(), 1_000_000_000_000);
    expect([5, 60, 600, 7200, 200_000, -100].map(at)).toEqual(['just now', '60 s ago', '10 min ago', '2 h ago', '2 days ago', 'just now']);
  });

  test('a table has aligned columns, and colour does not count as width', () => {
    const painted = table(
      [
        ['A', 'B'],
        ['long', 'x'],
      ],
      (cell) => (cell === 'A' ? `\u001B[2m${cell}\u001B[22m` : cell),
    );
    expect(plain(painted.split('\n')[0]!)).toBe('A     B');
    expect(painted.split('\n')[1]).toBe('long  x');
    expect(counted(1, 'build')).toBe('1 build');
    expect(counted(2, 'build')).toBe('2 builds');
  });

  test('what a stranger wrote cannot steer the terminal', () => {
    expect(plain('a\u001B[2Jb\u001B]0;title\u0007c\r\nd\u009B31me\tf')).toBe('ab]0;titlec d31me\tf');
  });

  test('colour only on a terminal, and never with NO_COLOR or a dumb one', () => {
    const terminal = { write: () => undefined, isTTY: true };
    expect(styleOf(terminal, {}).red('x')).toBe('\u001B[31mx\u001B[39m');
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) expect(styleOf(terminal, env).red('x')).toBe('x');
    expect(styleOf({ write: () => undefined }, {}).red('x')).toBe('x');
  });
});
