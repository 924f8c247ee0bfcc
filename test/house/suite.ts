// Runs the README's test command, or the npm script that is named first, and counts what vitest did: "N passed, N failed, N skipped".
// What was skipped or never ran is named.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process, { argv, stdout } from 'node:process';
import { countReport } from './count.ts';
import { ROOT } from './files.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidemill-suite-'));
const report = join(folder, 'report.json');
const [script = 'test', ...more] = argv.slice(2);
const args = ['run', script, '--', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...more];
const child = spawn('npm', args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
const code = await new Promise<number>((done, fail) => child.on('error', fail).on('close', (exitCode) => done(exitCode ?? 1)));
try {
  const { passed, failed, skipped, named } = countReport(JSON.parse(readFileSync(report, 'utf8')));
  for (const line of named) stdout.write(`${line}\n`);
  // A worker that died, or an error outside of any test, fails the run though every test passed.
  const unseen = code !== 0 && failed === 0 ? 1 : 0;
  if (unseen) stdout.write(`✗ vitest ended with exit code ${code}, though no test failed\n`);
  stdout.write(`${passed} passed, ${failed + unseen} failed, ${skipped} skipped\n`);
  process.exitCode = failed + unseen > 0 || skipped > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
