// Builds the site: src/ → dist/. Plain Node 18 or newer, nothing to install.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAssets } from './build/assets.mjs';
import { readPage, render } from './build/templates.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const src = join(here, 'src');
const dist = join(here, 'dist');
const started = performance.now();

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
cpSync(join(src, 'public'), dist, { recursive: true });

const assets = buildAssets(src, dist);
const partials = Object.fromEntries(
  readdirSync(join(src, 'partials')).map((file) => [file.replace('.html', ''), readFileSync(join(src, 'partials', file), 'utf8')]),
);
const layout = readFileSync(join(src, 'layout.html'), 'utf8');

const { TIDEMILL_VERSION, TIDEMILL_COMMIT } = process.env;
const build = {
  version: TIDEMILL_VERSION || JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')).version,
  commit: TIDEMILL_COMMIT ?? '',
  shortCommit: (TIDEMILL_COMMIT ?? '').slice(0, 7),
};

const pages = readdirSync(join(src, 'pages')).map((file) => readPage(file, readFileSync(join(src, 'pages', file), 'utf8')));
for (const page of pages) {
  const values = { ...build, ...page.settings, path: page.path };
  const content = render(page.body, values, partials, assets);
  const html = render(layout, { ...values, content }, partials, assets);
  const target = join(dist, page.output);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, html);
  console.log(`  ${page.output}`);
}
for (const name of assets.values()) console.log(`  ${name.slice(1)}`);
console.log(`${pages.length} pages and ${assets.size} assets in ${Math.round(performance.now() - started)} ms`);
