// A real browser with a hostile page open: on a site of this server, and on another origin. Whatever it tries, nothing reaches the API.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quiet } from '../../../test/support/webhook.ts';
import { createListener, type Listener } from './listener.ts';

const CHROMIUM = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);
const TOKEN = 'a-token-that-leaked';

let browser: Browser;
beforeAll(async () => {
  if (!CHROMIUM && !process.env.CI) return;
  if (!CHROMIUM) throw new Error('This test needs Chromium: apt-get install chromium, or set CHROMIUM_PATH');
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
});
afterAll(() => browser?.close());

/** Opens a hostile page and lets it try everything against the server at `target`. What it got at. */
async function attackFrom(address: string, target: string): Promise<string[]> {
  const page = await browser.newPage();
  await page.goto(address);
  await page.evaluate(await readFile(new URL('../../../test/support/hostile-page.js', import.meta.url), 'utf8'));
  const outcomes = (await page.evaluate(`attack(${JSON.stringify({ target, token: TOKEN })})`)) as string[];
  await page.close();
  expect(outcomes).toHaveLength(10);
  return outcomes.filter((outcome) => outcome.includes('GOT'));
}

async function withListener<T>(use: (listener: Listener, reached: string[]) => Promise<T>): Promise<T> {
  const reached: string[] = [];
  const listener = await createListener({
    port: 0,
    token: TOKEN,
    webhook: (_request, response) => void response.end(),
    site: (_request, response) => void response.setHeader('content-type', 'text/html').end('<!doctype html><title>site</title><body>'),
    api: (request) => {
      reached.push(`${request.method} ${request.url}`);
      return new Response('done');
    },
    sites: async () => [],
    log: quiet,
  });
  try {
    return await use(listener, reached);
  } finally {
    await listener.close(0);
  }
}

test.runIf(CHROMIUM || process.env.CI)('a page on a site of this very server can do nothing to the API', () =>
  withListener(async ({ port }, reached) => {
    for (const target of [`http://localhost:${port}`, `http://127.0.0.1:${port}`])
      expect(await attackFrom(`http://hello.localhost:${port}/`, target)).toEqual([]);
    expect(reached).toEqual([]);
  }),
);

test.runIf(CHROMIUM || process.env.CI)('a page of another origin can do nothing to it either; a page of this server’s own origin could', () =>
  withListener(async ({ url }, reached) => {
    const elsewhere = createServer((_request, response) => void response.setHeader('content-type', 'text/html').end('<!doctype html><body>'));
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    expect(await attackFrom(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`, url)).toEqual([]);
    elsewhere.closeAllConnections();
    await new Promise((resolve) => elsewhere.close(resolve));
    expect(reached).toEqual([]);

    // The same page where it is allowed: what is tested above can fail.
    expect((await attackFrom(`${url}/healthz`, url)).length).toBeGreaterThan(2);
    expect(reached.length).toBeGreaterThan(2);
  }),
);
