// What V8 makes of the program, as app/<part>.code: the bytecode of all that a process runs until it takes events. The same for the same sources:
// V8 runs on one thread and with its dice fixed. It is for one version of Node, and whoever runs another, or none that fits, compiles as ever.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { type Entry, file } from './layers/entry.ts';
import type { Part } from './start.ts';

const FLAGS = ['--predictable', '--random_seed=1'];
const NEEDED = ['app/start.cjs', 'app/tidemill.cjs'];
const PARTS: readonly Part[] = ['edges', 'functions'];
const make = (part: Part) => `const { script, program } = require('./start.cjs').load(process.cwd(), '${part}');
program.rehearse('${part}').then(() => require('node:fs').writeFileSync('${part}.code', script.createCachedData()));`;
const LIMIT_MS = 60_000;

/** `node`: the binary that will run it. Throws when the program cannot be loaded. */
export async function codeOf(app: readonly Entry[], node: string): Promise<Entry[]> {
  const scripts = app.flatMap((entry) => (entry.type === 'file' && NEEDED.includes(entry.path) ? [entry] : []));
  if (scripts.length < NEEDED.length) return [];
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-code-'));
  try {
    for (const { path, body } of scripts) await writeFile(join(folder, basename(path)), body);
    const made: Entry[] = [];
    for (const part of PARTS) {
      await promisify(execFile)(node, [...FLAGS, '-e', make(part)], { cwd: folder, env: { NODE_ENV: 'production' }, timeout: LIMIT_MS });
      made.push(file(`app/${part}.code`, await readFile(join(folder, `${part}.code`))));
    }
    return made;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
