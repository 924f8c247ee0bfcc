// Substitution is one pass over text: values are never read again, and text without variables is never touched.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { paramReplacements, replaceInValue } from './params.ts';
import { NOTHING, substitute, substituteArgument } from './substitute.ts';

const NAME = fc.stringMatching(/^[a-z]{1,8}$/);

test('a value that looks like a variable is not replaced again', () => {
  fc.assert(
    fc.property(NAME, NAME, fc.string(), (a, b, text) => {
      fc.pre(a !== b);
      const strings = new Map([
        [a, `$(${b})${text}`],
        [b, 'never'],
      ]);
      expect(substitute(`<$(${a})>`, strings)).toBe(`<$(${b})${text}>`);
    }),
  );
});

test('text without a known variable stays as it is, whatever it holds', () => {
  fc.assert(fc.property(fc.string(), (text) => substitute(text, new Map([['known', 'x']])) === text.replaceAll('$(known)', 'x')));
});

test('variables inside unfinished ones are found', () => {
  const strings = new Map([['x', '1']]);
  expect(['$($(x))', '$(x', '$(y $(x)', '$$(x)', '$(x)$(x)', '$()'].map((text) => substitute(text, strings))).toEqual([
    '$(1)',
    '$(x',
    '$(y 1',
    '$1',
    '11',
    '$()',
  ]);
});

test('an array replaces only an argument that is nothing else', () => {
  const by = { ...NOTHING, arrays: new Map([['params.a', ['1', '2']]]) };
  expect(substituteArgument('$(params.a[*])', by)).toEqual(['1', '2']);
  expect(substituteArgument('$(params.a)', by)).toEqual(['1', '2']);
  expect(substituteArgument('x$(params.a[*])', by)).toEqual(['x$(params.a[*])']);
});

test('a value that is nothing but a reference takes the type of what it refers to', () => {
  const by = paramReplacements(
    [],
    [
      { name: 'list', value: ['a', 'b'] },
      { name: 'map', value: { k: 'v' } },
      { name: 'text', value: 't' },
    ],
  );
  expect(replaceInValue('$(params.list[*])', by)).toEqual(['a', 'b']);
  expect(replaceInValue('$(params.map[*])', by)).toEqual({ k: 'v' });
  expect(replaceInValue('$(params.text)', by)).toBe('t');
  expect(replaceInValue(['$(params.list[*])', '$(params.map.k)'], by)).toEqual(['a', 'b', 'v']);
});
