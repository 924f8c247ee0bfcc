// The command as a person starts it: a process of its own, its first start, its end.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { send, until } from '../../test/support/machine.ts';
import { createRepository, type TestRepository } from '../../test/support/repository.ts';

const MAIN = fileURLToPath(new URL('../main.mjs', import.meta.url));

/** On a machine that does much else besides. */
const PATIENCE_MS = 60_000;

interface Running {
  child: ChildProcess;
  output(): string;
  ended: Promise<number | NodeJS.Signals>;
}

let data: string;
const running: Running[] = [];
const repositories: TestRepository[] = [];
beforeEach(() => {
  data = join(mkdtempSync(join(tmpdir(), 'tidemill-server-')), 'data');
});
afterEach(async () => {
  for (const one of running.splice(0)) {
    one.child.kill('SIGTERM');
    await one.ended;
  }
  for (const repository of repositories.splice(0)) repository.remove();
  rmSync(join(data, '..'), { recursive: true, force: true });
});

function start(...words: string[]): Running {
  const { TIDEMILL_WEBHOOK_SECRET: _secret, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, '--data', data, ...words], { cwd: join(data, '..'), env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const ended = new Promise<number | NodeJS.Signals>((resolve) => child.on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL')));
  const one = { child, output: () => text, ended };
  running.push(one);
  return one;
}

/** Fails with all that it printed. */
async function shows(one: Running, text: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!one.output().includes(text)) {
    if (one.child.exitCode !== null) throw new Error(`It ended with ${one.child.exitCode} and did not print "${text}", but:\n${one.output()}`);
    if (Date.now() > end) throw new Error(`It did not print "${text}" within ${PATIENCE_MS} ms, but:\n${one.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function page(one: Running, label: string): Promise<string> {
  const port = Number(/http:\/\/localhost:(\d+)/.exec(one.output())?.[1]);
  return (await send(port, 'GET', '/', { host: `${label}.localhost:${port}` })).text;
}

describe('tidemill server', { timeout: 120_000 }, () => {
  test('the first start serves the example and says what is next; a later one says what is live; both end with 0', async () => {
    const first = start('server', '--port', '0');
    await shows(first, 'Ctrl-C stops.');
    for (const step of ['repository', 'project', 'webhook', 'source', 'build', 'release']) expect(first.output()).toMatch(new RegExp(`✓ ${step}[^\\n]* \\d`));
    expect(first.output()).toMatch(/\nhttp:\/\/example\.localhost:\d+\/\n/);
    for (const next of ['npx tidemill add', 'Payload URL', 'application/json', 'webhook-secret']) expect(first.output()).toContain(next);
    expect(await page(first, 'example')).toContain('<html');

    const secrets = ['token', 'webhook-secret'].map((name) => readFileSync(join(data, name), 'utf8').trim());
    for (const secret of secrets) expect(first.output()).not.toContain(secret);
    for (const name of ['token', 'webhook-secret', 'server.json']) expect(statSync(join(data, name)).mode & 0o777).toBe(0o600);

    const second = start('server', '--port', '0');
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/error {2}The server cannot start: .*another process/);
    expect(second.output()).not.toContain('    at ');

    // The same Ctrl-C twice within milliseconds, as a launcher and a terminal deliver it.
    first.child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 10));
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(0);
    expect(existsSync(join(data, 'server.json'))).toBe(false);

    const later = start('server', '--port', '0');
    await shows(later, 'Ctrl-C stops.');
    expect(later.output()).toMatch(/\n {2}example {2}http:\/\/example\.localhost:\d+\/ {2}1\.0\.0-/);
    expect(later.output()).not.toContain('first start');
    later.child.kill('SIGTERM');
    expect(await later.ended).toBe(0);
  });

  test('a repository is built and served instead; what happens later is said; a port that is taken is another', async () => {
    const repository = createRepository({ 'index.html': '<h1>Mine</h1>' });
    repositories.push(repository);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const one = start('server', repository.path, '--port', String(port));
    await shows(one, 'Ctrl-C stops.');
    expect(one.output()).toContain(`Port ${port} is taken`);
    const [, name = ''] = /as "([^"]+)"/.exec(one.output()) ?? [];
    expect(await page(one, name)).toContain('Mine');
    expect(existsSync(join(data, 'example'))).toBe(false);
    repository.commit({ 'index.html': '<h1>Changed</h1>' }, 'Change the page');
    await shows(one, 'Change the page');
    expect(await page(one, name)).toContain('Changed');
    one.child.kill('SIGINT');
    expect(await one.ended).toBe(0);
    await new Promise((resolve) => taken.close(resolve));
  });

  test('Ctrl-C in the middle of a build ends with 0, and the build goes on at the next start', async () => {
    const build = 'sleep 2; mkdir -p dist && echo done-building > dist/index.html';
    const repository = createRepository({ 'package.json': JSON.stringify({ name: 'slow', version: '1.0.0', scripts: { build } }) });
    repositories.push(repository);
    const one = start('server', repository.path, '--port', '0');
    await shows(one, 'as "');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    one.child.kill('SIGINT');
    expect(await one.ended).toBe(0);
    expect(one.output()).not.toMatch(/✓ release/);
    const later = start('server', '--port', '0');
    await shows(later, 'Ctrl-C stops.');
    const [, name = ''] = /as "([^"]+)"/.exec(one.output()) ?? [];
    await until(
      'the site of the build that was interrupted',
      async () => ((await page(later, name)).includes('done-building') ? true : undefined),
      PATIENCE_MS,
    );
  });
});
