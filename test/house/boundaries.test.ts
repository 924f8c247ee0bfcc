import { expect, test } from 'vitest';
import { crossings, impurities } from './boundaries.ts';
import { specifiers } from './imports.ts';

const judge = (file: string, code: string) => crossings([file], () => code);

const forbidden: [string, string][] = [
  ['functions/git-push/handler.ts', "import { openStore } from '../../shared/store/open.ts';"],
  ['functions/git-push/handler.ts', "import type { Store } from '../../shared/store/open.ts';"],
  ['functions/git-push/handler.ts', "import { readFile } from 'node:fs/promises';"],
  ['functions/git-push/handler.ts', "const m = await import('node:sqlite');"],
  ['functions/git-push/handler.ts', "import { handle } from '../lane-advance/handler.ts';"],
  ['functions/git-push/handler.ts', "import { run } from '../../shared/host/host.ts';"],
  ['functions/hook-delivery/send.ts', "import { execFile } from 'node:child_process';"],
  ['functions/github-webhook/handler.ts', "export { put } from '../../shared/storage/fs/put.ts';"],
  ['functions/site/handler.ts', "let x: import('../../shared/git/run.ts').Git;"],
  ['shared/host/host.ts', "import { functions } from '../../functions/graph.ts';"],
  ['shared/site/serve.ts', "import { main } from '../../cli/main.ts';"],
  ['shared/host/host.ts', "import { crash } from '../../test/chaos/crash.ts';"],
  ['shared/store/open.ts', "import { put } from '../storage/fs/put.ts';"],
  ['shared/decisions/lane.ts', "import { setTimeout } from 'node:timers/promises';\nimport os from 'node:os';"],
  ['shared/objects/lane.ts', "import { decide } from '../decisions/lane.ts';"],
  ['shared/ports/git.ts', "import { execFile } from 'node:child_process';"],
  ['cli/commands/list.ts', "import { openStore } from '../../shared/store/open.ts';"],
  ['cli/commands/list.ts', "import { listen } from '../../functions/one-machine/listener.ts';"],
  ['functions/graph.ts', "import { handle } from './git-push/handler.ts';"],
];

test.each(forbidden)('%s may not: %s', (file, code) => {
  expect(judge(file, code)).toHaveLength(1);
});

const allowed: [string, string][] = [
  [
    'functions/git-push/handler.ts',
    "import { nextNumber } from '../../shared/decisions/lane.ts';\nimport type { functions } from '../graph.ts';\nimport { NotYet } from '../../shared/host/contract.ts';\nimport { own } from './own.ts';\nimport { createHash } from 'node:crypto';",
  ],
  ['functions/hook-delivery/send.ts', "import { lookup } from 'node:dns';"],
  ['functions/one-machine/compose.ts', "import { openStore } from '../../shared/store/open.ts';\nimport { handle } from '../git-push/handler.ts';"],
  ['functions/git-push/handler.test.ts', "import { openStore } from '../../shared/store/open.ts';"],
  ['cli/commands/task-run.ts', "import { runner } from '../../shared/runner/engine/run.ts';"],
  ['shared/steps/publish.ts', "import type { Builtin } from '../runner/builtin.ts';"],
  ['test/flows/push.test.ts', "import { main } from '../../cli/main.ts';"],
];

test.each(allowed)('%s may: %s', (file, code) => {
  expect(judge(file, code)).toEqual([]);
});

test('every way of importing is seen', () => {
  const code = `import a from './a.ts';
import type { B } from './b.ts';
import './c.ts';
export * from './d.ts';
export { e } from './e.ts';
const f = await import('./f.ts');
type G = import('./g.ts').G;
const text = "import x from './not-this.ts'";`;
  expect(specifiers('x.ts', code).toSorted()).toEqual(['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts', './g.ts']);
});

test('a file that cannot be parsed is an error, and not a file without imports', () => {
  expect(() => specifiers('x.ts', 'import {')).toThrow(/x\.ts cannot be parsed/);
});

test.each(['Date.now()', 'new Date()', 'Math.random()', 'process.env.HOME', 'await fetch(url)', 'setTimeout(f, 1)'])('a decision may not use %s', (use) => {
  expect(impurities(['shared/decisions/x.ts'], () => `export const x = async (f: () => void, url: string) => ${use};`)).toHaveLength(1);
});

test('a decision may speak of the clock in a comment, and build a date from its argument', () => {
  expect(impurities(['shared/decisions/x.ts'], () => '// never Date.now() here\nexport const at = (time: string) => new Date(time);')).toEqual([]);
});
