import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const STOP = fileURLToPath(new URL('./stop.ts', import.meta.url));
/** A server that needs for ever to drain. */
const SCRIPT = `
  import { listenForStop } from ${JSON.stringify(STOP)};
  const stop = listenForStop(() => process.exit(130));
  setInterval(() => undefined, 1000);
  stop.requested.then(() => console.log('draining'));
  console.log('ready');
`;

test('a signal told twice at once is one; a second one that is meant ends at once', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', SCRIPT], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const shows = async (what: string) => {
    while (!text.includes(what)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  await shows('ready');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  await shows('draining');
  await new Promise((resolve) => setTimeout(resolve, 1100));
  expect(child.exitCode).toBeNull();
  child.kill('SIGINT');
  expect(await ended).toBe(130);
});
