import { expect, test } from 'vitest';
import { projectFiles } from './files.ts';
import { fullFolders, LIMITS, longFiles } from './sizes.ts';

const lines = (count: number) => 'x;\n'.repeat(count);

test('a file may be as long as the limit, and no longer', () => {
  expect(longFiles(['a.ts'], () => lines(LIMITS.lines))).toEqual([]);
  expect(longFiles(['a.ts'], () => lines(LIMITS.lines + 1))).toHaveLength(1);
});

test('a test may be longer, and data as long as it is', () => {
  expect(longFiles(['a.test.ts', 'test/flows/b.ts', 'package-lock.json'], (file) => lines(file.endsWith('.json') ? 9000 : LIMITS.testLines))).toEqual([]);
  expect(longFiles(['a.test.ts'], () => lines(LIMITS.testLines + 1))).toHaveLength(1);
});

test('a folder with too many files of its own is found; what stands in folders below it does not count', () => {
  const files = (count: number) => Array.from({ length: count }, (_, index) => `shared/x/${index}.ts`);
  expect(fullFolders([...files(LIMITS.filesInFolder), 'shared/x/y/1.ts', 'top.md'])).toEqual([]);
  expect(fullFolders(files(LIMITS.filesInFolder + 1))).toEqual([expect.stringContaining('shared/x/ holds')]);
});

test('the files of the project are those that git knows or would', () => {
  const files = projectFiles();
  expect(files).toContain('test/house/sizes.test.ts');
  expect(files.filter((file) => file.startsWith('node_modules/'))).toEqual([]);
});
