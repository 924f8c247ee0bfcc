import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findJsonError } from './json-position.ts';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('findJsonError', () => {
  test.each([
    ['', 0, 'a value'],
    ['abc', 0, 'a value'],
    ['{"a":1,}', 7, 'a property name in double quotes'],
    ["{'a':1}", 1, 'a property name in double quotes, or "}"'],
    ['{"a" 1}', 5, '":"'],
    ['[1 2]', 3, '"," or the closing bracket'],
    ['[1}', 2, '"," or the closing bracket'],
    ['{"a":1} x', 8, 'the end of the text'],
    ['[01]', 1, 'a value or "]"'],
    ['"a\nb"', 0, 'a value'],
    ['[1,2', 4, '"," or the closing bracket'],
  ])('%j is wrong at %i', (text, position, expected) => {
    expect(findJsonError(text)).toMatchObject({ position, expected });
  });

  test('counts lines and columns from 1', () => {
    expect(findJsonError('{\n  "a": 1\n  "b": 2\n}')).toMatchObject({ line: 3, column: 3 });
  });

  test('finds nothing wrong with any JSON, and something with whatever JSON.parse refuses', () => {
    const json = fc.check(fc.property(fc.json(), (text) => findJsonError(text) === undefined));
    expect(json.counterexample).toBeNull();
    const broken = fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', '0', ':', 'x', '\\', '\u0001')).map(([text, at, by]) => {
      const position = at % (text.length + 1);
      return text.slice(0, position) + by + text.slice(position + 1);
    });
    const any = fc.check(
      fc.property(broken, (text) => (findJsonError(text) === undefined) === isJson(text)),
      { numRuns: 2000 },
    );
    expect(any.counterexample).toBeNull();
  });

  test('100,000 levels and a string of a megabyte are no trouble', () => {
    expect(findJsonError('['.repeat(100_000))).toMatchObject({ position: 100_000 });
    expect(findJsonError(`"${'a\\n'.repeat(350_000)}"`)).toBeUndefined();
    expect(findJsonError(`"${'a'.repeat(1_000_000)}`)).toMatchObject({ position: 0 });
  });
});
