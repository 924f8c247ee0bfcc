// Styles and scripts under names that hold a hash of their content: what has such a name never changes, and may be kept forever.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes dist/assets/…; gives a map from source name, such as scripts/main.js, to address. */
export function buildAssets(src, dist) {
  const out = join(dist, 'assets');
  mkdirSync(out, { recursive: true });
  const addresses = new Map();

  const publish = (source, name, content) => {
    const hash = createHash('sha256').update(content).digest('hex').slice(0, 10);
    const [, stem, extension] = /^(.+)\.(\w+)$/.exec(name);
    const file = `${stem}-${hash}.${extension}`;
    writeFileSync(join(out, file), content);
    addresses.set(source, `/assets/${file}`);
    return file;
  };

  const styles = readdirSync(join(src, 'styles')).sort();
  publish('site.css', 'site.css', minifyStyles(styles.map((file) => readFileSync(join(src, 'styles', file), 'utf8')).join('\n')));

  // A module is named after what it imports was: then a change below changes the names above.
  const script = (file, chain = []) => {
    const source = `scripts/${file}`;
    if (addresses.has(source)) return addresses.get(source).split('/').at(-1);
    if (chain.includes(file)) throw new Error(`Scripts import each other in a circle: ${[...chain, file].join(' → ')}`);
    const code = readFileSync(join(src, source), 'utf8');
    const rewritten = code.replace(/(\bfrom\s*|\bimport\s*\(?\s*)'\.\/([\w-]+\.js)'/g, (_, before, name) => `${before}'./${script(name, [...chain, file])}'`);
    return publish(source, file, rewritten);
  };
  for (const file of readdirSync(join(src, 'scripts')).sort()) script(file);
  return addresses;
}

/** Comments and needless space away; strings and values stay as they are. */
function minifyStyles(css) {
  return css
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/\s*([{};,>])\s*/g, '$1')
    .replace(/;\}/g, '}')
    .trim();
}
