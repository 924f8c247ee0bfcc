// CONTRIBUTING.md says how to add a function. This does what it says, in a copy, with the code that stands there.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectFiles, ROOT } from './files.ts';

let copy: string;
/** What it prints; a failure is thrown with all that it said. */
function node(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', timeout: 120_000 });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}
const inCopy = (file: string) => join(copy, file);

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'tidemill-walkthrough-'));
  for (const file of projectFiles()) cpSync(join(ROOT, file), inCopy(file), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), inCopy('node_modules'));
  // The checks ask git which files there are.
  execFileSync('git', ['init', '-q', copy]);
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test('adding a function as CONTRIBUTING.md has it passes its test and the checks', { timeout: 180_000 }, () => {
  const section = /## Add a function\n([^]*?)\n## /.exec(readFileSync(inCopy('CONTRIBUTING.md'), 'utf8'))?.[1] ?? '';
  const [entry, handler, itsTest, row] = [...section.matchAll(/```ts\n([^]*?)```/g)].map((match) => (match[1] ?? '').replaceAll(/^ {3}/gm, ''));
  const graph = readFileSync(inCopy('functions/graph.ts'), 'utf8');
  const place = "  'hook-delivery': {";
  expect(graph).toContain(place);
  const put = (file: string, text: string | undefined) => {
    mkdirSync(dirname(inCopy(file)), { recursive: true });
    writeFileSync(inCopy(file), text ?? '');
  };
  put('functions/graph.ts', graph.replace(place, `${entry ?? ''}${place}`));
  const rights = 'knative/generate/access/rights.ts';
  put(rights, readFileSync(inCopy(rights), 'utf8').replace(place, `${row ?? ''}${place}`));
  put('functions/release-announce/handler.ts', handler);
  put('functions/release-announce/handler.test.ts', itsTest);
  put('functions/release-announce/README.md', '# release-announce\n');

  const types = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'], { cwd: copy, encoding: 'utf8' }).stdout;
  expect(types.split('\n').filter((line) => /release-announce|graph\.ts/.test(line))).toEqual([]);
  expect(node('test/house/check.ts', 'boundaries', 'graph')).toContain('2 passed, 0 failed');
  expect(node('node_modules/vitest/vitest.mjs', 'run', 'functions/release-announce')).toContain('1 passed');
  expect(node('node_modules/vitest/vitest.mjs', 'run', rights.replace('.ts', '.test.ts'))).toContain('1 passed');
  expect(() => node('test/house/check.ts', 'drift')).toThrow();
  expect(node('eventing/generate.ts')).toContain('wrote eventing/README.md');
  expect(node('test/house/check.ts', 'drift')).toContain('1 passed, 0 failed');
  expect(readFileSync(inCopy('eventing/README.md'), 'utf8')).toContain('release-announce');
  expect(readFileSync(inCopy('knative/overlays/knative/functions/release-announce.yaml'), 'utf8')).toContain('/app/release-announce.mjs');
});
