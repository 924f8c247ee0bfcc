import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesBranch } from './branches.ts';

const piece = fc.string({ unit: fc.constantFrom('a', 'b', '/', '-', '.', '+', '('), maxLength: 6 });

describe('matchesBranch', () => {
  it.each([
    [['main'], 'main', true],
    [['main'], 'mainly', false],
    [['*'], 'feature/x', true],
    [['release/*'], 'release/1.2', true],
    [['release/*'], 'release', false],
    [['*-wip'], 'a-wip', true],
    [['a*a'], 'a', false],
    [['a*b*c'], 'abbc', true],
    [['a*bc*c'], 'abc', false],
    [['v1.*'], 'v1x2', false],
    [[], 'main', false],
    [['x', 'ma*n'], 'main', true],
  ])('%j on %s: %s', (patterns, branch, expected) => {
    expect(matchesBranch(patterns, branch)).toBe(expected);
  });

  it('agrees with a regular expression on every small case', () => {
    const pattern = fc.array(piece, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('*'));
    fc.assert(
      fc.property(pattern, piece, piece, (text, left, right) => {
        const expression = new RegExp(
          `^${text
            .split('*')
            .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
            .join('[^]*')}$`,
        );
        for (const name of [left, left + right, text.replaceAll('*', left)]) expect(matchesBranch([text], name)).toBe(expression.test(name));
      }),
    );
  });

  it('takes no exponential time on a pattern made for it', () => {
    const started = performance.now();
    expect(matchesBranch([`${'a*'.repeat(127)}b`], 'a'.repeat(100_000))).toBe(false);
    expect(matchesBranch([`${'*a'.repeat(127)}b*`], 'a'.repeat(100_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(200);
  });
});
