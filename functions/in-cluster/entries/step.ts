// The program of tidemill's own steps: `source` and `output`, each in a container of a TaskRun. Ends with the step's exit code, or with 143 when it is told to stop.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { runStep } from '../../../shared/steps/run-step.ts';

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort(new Error(`ended by ${signal}`)));

try {
  process.exitCode = await runStep({
    args: process.argv.slice(2),
    env: process.env,
    temporary: join(tmpdir(), 'tidemill'),
    openGit: async (directory, credentials) => (await import('../../../shared/git/git.ts')).createGit({ directory, credentials }),
    log: (line) => process.stdout.write(`${line}\n`),
    signal: stop.signal,
  });
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = stop.signal.aborted ? 143 : 1;
}
// Connections that are kept for a next request keep the process, too.
process.exit();
