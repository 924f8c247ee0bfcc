// npm run check: everything that can be said of the code without running it. Prints a line a check and ends with their count.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { argv, env, execPath, exit, stdout } from 'node:process';
import * as graph from '../../functions/graph.ts';
import { drift } from '../../eventing/generate.ts';
import { eventData } from '../../shared/events/types.ts';
import { crossings, impurities } from './boundaries.ts';
import { projectFiles, ROOT } from './files.ts';
import { fullFolders, longFiles } from './sizes.ts';
import { folderGaps, looseEnds, looseTicks, unmarkedCycles } from './wiring.ts';

interface Check {
  name: string;
  /** The sentences to print; none: it holds. */
  problems: () => Promise<string[]> | string[];
}

const bin = join(ROOT, 'node_modules');

/** Runs a tool of node_modules on the Node that runs this file. What it prints when it fails is the problem. */
function tool(script: string, ...args: string[]): () => Promise<string[]> {
  return async () => {
    const child = spawn(execPath, [join(bin, script), ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, PATH: `${join(bin, '.bin')}${delimiter}${env.PATH ?? ''}` },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise<number>((done, fail) => child.on('error', fail).on('close', (exitCode) => done(exitCode ?? 1)));
    return code === 0 ? [] : [output.trim() || `exit code ${code}`];
  };
}

const files = projectFiles();
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

const checks: Check[] = [
  { name: 'types', problems: tool('typescript/bin/tsc', '--noEmit', '-p', '.') },
  { name: 'lint', problems: tool('oxlint/bin/oxlint', '--type-aware', '--deny-warnings') },
  { name: 'format', problems: tool('oxfmt/bin/oxfmt', '--check') },
  { name: 'unused', problems: tool('knip/bin/knip.js', '--no-progress') },
  { name: 'drift', problems: drift },
  { name: 'boundaries', problems: () => [...crossings(files, read), ...impurities(files, read)] },
  { name: 'graph', problems: () => [...looseEnds(graph, Object.keys(eventData)), ...looseTicks(graph), ...unmarkedCycles(graph)] },
  { name: 'folders', problems: () => folderGaps(graph, files) },
  { name: 'sizes', problems: () => [...longFiles(files, read), ...fullFolders(files)] },
];

async function run(check: Check): Promise<boolean> {
  const start = performance.now();
  const problems = await Promise.try(check.problems).catch((error: unknown) => [error instanceof Error ? error.message : String(error)]);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  stdout.write(`${problems.length === 0 ? '✓' : '✗'} ${check.name.padEnd(11)} ${seconds} s\n`);
  for (const problem of problems) stdout.write(`${problem.replaceAll(/^/gm, '    ')}\n`);
  return problems.length === 0;
}

const wanted = argv.slice(2);
const unknown = wanted.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  stdout.write(`No check is called ${unknown.join(', ')}; there are ${checks.map((check) => check.name).join(', ')}\n`);
  exit(2);
}
let failed = 0;
const chosen = checks.filter((check) => wanted.length === 0 || wanted.includes(check.name));
for (const check of chosen) if (!(await run(check))) failed += 1;
stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`);
exit(failed === 0 ? 0 : 1);
