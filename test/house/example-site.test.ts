// The example is what a newcomer sees first: it builds offline on any Node, the same each time, and no link in it is dead.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

let folder: string;
const build = (env: Record<string, string> = {}) => execFileSync(process.execPath, ['build.mjs'], { cwd: folder, env: { PATH: process.env.PATH, ...env } });
const read = (file: string) => readFileSync(join(folder, 'dist', file), 'utf8');
const files = () => readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' }).toSorted();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-example-'));
  cpSync(resolve(import.meta.dirname, '../../examples/site'), folder, { recursive: true, filter: (path) => !path.endsWith('/dist') });
});
beforeEach(() => void build());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it depends on nothing, and its lock file says so', () => {
  const lock: unknown = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  expect(Object.keys((lock as { packages: object }).packages)).toEqual(['']);
});

test('every address that a page names is in the build', () => {
  for (const page of files().filter((file) => file.endsWith('.html'))) {
    const addresses = [...read(page).matchAll(/(?:href|src)="(\/[^"#]*)"/g)].map((match) => match[1] ?? '');
    expect(addresses.length).toBeGreaterThan(3);
    for (const address of addresses)
      expect(existsSync(join(folder, 'dist', address, address.endsWith('/') ? 'index.html' : '')), `${page} → ${address}`).toBe(true);
  }
});

test('a module imports modules that are there, under their hashed names', () => {
  const scripts = files().filter((file) => file.endsWith('.js'));
  const imports = scripts.flatMap((file) => [...read(file).matchAll(/from '\.\/([^']+)'/g)].map((match) => match[1] ?? ''));
  expect(imports.length).toBeGreaterThan(2);
  for (const name of imports) expect(scripts).toContain(`assets/${name}`);
});

test('the same input gives the same bytes, and another commit shows itself on every page', () => {
  const bytes = () => files().map((file) => (file.includes('.') ? `${file}\n${read(file)}` : file));
  const first = bytes();
  build();
  expect(bytes()).toEqual(first);
  build({ TIDEMILL_VERSION: '1.2.3-x', TIDEMILL_COMMIT: 'c0ffee0123456789c0ffee0123456789c0ffee01' });
  for (const page of ['index.html', '404.html', 'from-push-to-page/index.html']) expect(read(page)).toMatch(/Version 1\.2\.3-x[^]*c0ffee0</);
});

test('a template that names something unknown fails the build', () => {
  cpSync(join(folder, 'src/pages/404.html'), join(folder, 'src/pages/broken.html'));
  execFileSync('sed', ['-i', 's/404<\\/p>/{{nonsense}}<\\/p>/', join(folder, 'src/pages/broken.html')]);
  expect(() => execFileSync(process.execPath, ['build.mjs'], { cwd: folder, stdio: 'pipe' })).toThrow(/nonsense/);
  rmSync(join(folder, 'src/pages/broken.html'));
});
