import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';

const ENTRY = new URL('./main.mjs', import.meta.url).pathname;

test('a reader that goes away ends a command without an error', async () => {
  const child = spawn(process.execPath, [ENTRY, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  // Nobody reads the first byte any more: what is written meets a closed pipe.
  child.stdout.destroy();
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  expect({ code, said }).toEqual({ code: 0, said: '' });
});
