import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { execPath } from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, type Source } from './bundle.ts';
import type { Entry } from './layers/entry.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-bundle-'));
  const files = {
    'a/shared.ts': `export const shared = (name: string): string => 'hello ' + name;\nexport class Named extends Error {}\n`,
    'a/heavy.ts': `export const heavy = 'only-when-it-is-asked-for';\n`,
    'a/one.ts': `import { shared, Named } from './shared.ts';\nconsole.log(shared('one'), Named.name);\nif (process.argv[2]) console.log((await import('./heavy.ts')).heavy);\n`,
    'a/two.ts': `import { shared } from './shared.ts';\nimport old from './old.cjs';\nconsole.log(shared('two'), old);\n`,
    'a/old.cjs': `module.exports = require('node:path').posix.join('a', 'b');\n`,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, 'x', path)), { recursive: true });
    await writeFile(join(directory, 'x', path), text);
  }
  await cp(join(directory, 'x'), join(directory, 'elsewhere', 'deeper'), { recursive: true });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const wanted: Source[] = ['one', 'two'].map((name) => ({ name, code: `import './a/${name}.ts';\n` }));

const bodyOf = (entries: readonly Entry[], path: string) => {
  const entry = entries.find((one) => one.path === path);
  return entry?.type === 'file' ? String(entry.body) : '';
};

test('the same sources are the same bundles wherever they lie', async () => {
  const here = await bundle(wanted, join(directory, 'x'));
  expect(await bundle(wanted.toReversed(), join(directory, 'elsewhere', 'deeper'))).toEqual(here);
  expect(JSON.stringify(here.map((entry) => (entry.type === 'file' ? String(entry.body) : '')))).not.toContain(directory);
});

test('what several use is there once, what is imported lazily apart, and all of it runs', async () => {
  const entries = await bundle(wanted, join(directory, 'x'));
  for (const name of ['one', 'two']) expect(bodyOf(entries, `app/${name}.mjs`)).not.toContain('hello ');
  const holding = entries.filter((entry) => entry.type === 'file' && entry.body.includes('only-when-it-is-asked-for'));
  expect(holding.map(({ path }) => path)).toEqual([expect.stringMatching(/^app\/chunks\/heavy-/)]);
  for (const entry of entries) {
    if (entry.type !== 'file') continue;
    await mkdir(dirname(join(directory, 'out', entry.path)), { recursive: true });
    await writeFile(join(directory, 'out', entry.path), entry.body);
  }
  const run = (...args: string[]) => execFileSync(execPath, args, { cwd: join(directory, 'out', 'app'), encoding: 'utf8' });
  expect(run('one.mjs')).toBe('hello one Named\n');
  expect(run('one.mjs', 'more')).toBe('hello one Named\nonly-when-it-is-asked-for\n');
  expect(run('two.mjs')).toBe('hello two a/b\n');
});
