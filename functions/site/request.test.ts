// What requests say, parsed: nothing that a client sends may throw, or mean something else afterwards.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptedEncodings, noneMatch, parseRange } from './negotiate.ts';
import { parseTarget } from './path.ts';

describe('targets', () => {
  it('never gives a path with a step upwards, a NUL or a backslash', () => {
    const piece = fc.constantFrom(
      '/',
      '..',
      '.',
      '%2e',
      '%2E%2e',
      '%2f',
      '%5c',
      '\\',
      '%00',
      '%',
      '%c3%a9',
      '%ff',
      'a',
      '?',
      '#',
      '//',
      'http://x',
      '%252e%252e',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const target = parseTarget(`/${pieces.join('')}`);
        if (!target) return;
        expect(target.path.split('/').filter((part) => part === '..' || part === '.')).toEqual([]);
        expect(target.path).not.toMatch(/[\\\0]/);
        expect(target.raw).not.toMatch(/[?#]/);
      }),
    );
  });

  it('decodes once, and keeps the query as it is', () => {
    expect(parseTarget('/a%20b/%C3%A9?x=%2f&y#z')).toEqual({ path: 'a b/é', raw: '/a%20b/%C3%A9', search: '?x=%2f&y' });
    expect(parseTarget('/%252e%252e/x')?.path).toBe('%2e%2e/x');
    expect(parseTarget('*')).toBeUndefined();
  });
});

describe('headers', () => {
  it('are never too strange to answer', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat({ max: 1000 }), (header, size) => {
        expect(acceptedEncodings(header).every((encoding) => encoding === 'br' || encoding === 'gzip')).toBe(true);
        expect(typeof noneMatch(header, '"x"')).toBe('boolean');
        const range = parseRange(header, size);
        expect(range === undefined || range === 'unsatisfiable' || (range.start >= 0 && range.start <= range.end && range.end < size)).toBe(true);
      }),
    );
  });

  it('gives ranges that lie within the file', () => {
    fc.assert(
      fc.property(fc.option(fc.nat({ max: 2000 })), fc.option(fc.nat({ max: 2000 })), fc.nat({ max: 1000 }), (first, last, size) => {
        const range = parseRange(`bytes=${first ?? ''}-${last ?? ''}`, size);
        expect(range === undefined || range === 'unsatisfiable' || (range.start >= 0 && range.start <= range.end && range.end < size)).toBe(true);
      }),
    );
  });

  it.each([
    ['gzip, deflate, br, zstd', ['br', 'gzip']],
    ['gzip;q=1.0, br;q=0.5', ['gzip', 'br']],
    ['*', ['br', 'gzip']],
    ['br;q=0, *', ['gzip']],
    ['BR', ['br']],
    ['identity', []],
    ['gzip;q=0', []],
    [undefined, []],
  ])('takes %j for %j', (header, encodings) => expect(acceptedEncodings(header)).toEqual(encodings));
});
