// The command in this process, against the API over HTTP behind a token, with what it writes caught.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { runProgram } from '../../cli/program.ts';
import { writeServerInfo } from '../../shared/host/machine/data-folder.ts';
import type { TestApi } from './api.ts';

export const TOKEN = 'tok_0123456789abcdef';

export interface Said {
  code: number;
  out: string;
  err: string;
}

export interface TestCli {
  data: string;
  url: string;
  run(...words: string[]): Promise<Said>;
  /** With something piped in, other variables, or nothing said of where the server is. */
  runWith(how: { stdin?: string; env?: Record<string, string>; bare?: boolean }, ...words: string[]): Promise<Said>;
  close(): Promise<void>;
}

export async function openTestCli(api: TestApi): Promise<TestCli> {
  const data = mkdtempSync(join(tmpdir(), 'tidemill-cli-'));
  const listener = getRequestListener((request) =>
    request.headers.get('authorization') === `Bearer ${TOKEN}` ? api.fetch(request) : Response.json({ detail: 'no' }, { status: 401 }),
  );
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await writeServerInfo(data, { url, pid: process.pid, startedAt: new Date().toISOString() });
  writeFileSync(join(data, 'token'), `${TOKEN}\n`, { mode: 0o600 });

  const runWith: TestCli['runWith'] = async ({ stdin = '', env = {}, bare = false }, ...words) => {
    const said = { out: '', err: '' };
    const io = {
      stdout: { write: (text: string) => (said.out += text) },
      stderr: { write: (text: string) => (said.err += text) },
      stdin: Readable.from([Buffer.from(stdin)]),
      env,
      cwd: data,
    };
    const code = await runProgram(bare ? words : ['--data', data, ...words], io);
    return { code, ...said };
  };
  return {
    data,
    url,
    run: (...words) => runWith({}, ...words),
    runWith,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(data, { recursive: true, force: true });
    },
  };
}
