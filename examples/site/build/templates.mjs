// Templates: {{name}} is a value made safe for HTML, {{{name}}} one put in as it is, {{> name}} a partial,
// {{asset name}} the address of an asset, {{#if name}}…{{else}}…{{/if}} a choice. Anything unknown is an error, never an empty space.

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (character) => escapes[character]);

function known(map, name, what) {
  if (!Object.hasOwn(map, name)) throw new Error(`No ${what} is called "${name}"; there are ${Object.keys(map).join(', ')}`);
  return map[name];
}

/** Fills a template. `assets` maps source names to addresses. */
export function render(template, values, partials, assets) {
  const fill = (text) => render(text, values, partials, assets);
  return template
    .replace(/\{\{#if (\w+)\}\}([^]*?)(?:\{\{else\}\}([^]*?))?\{\{\/if\}\}/g, (_, name, yes, no = '') => (known(values, name, 'value') ? yes : no))
    .replace(/\{\{> ([\w-]+)\}\}|\{\{asset ([\w./-]+)\}\}|\{\{\{(\w+)\}\}\}|\{\{(\w+)\}\}/g, (_, partial, asset, raw, name) => {
      if (partial) return fill(known(partials, partial, 'partial'));
      if (asset) return known(Object.fromEntries(assets), asset, 'asset');
      return raw ? known(values, raw, 'value') : escapeHtml(known(values, name, 'value'));
    });
}

/** A page: a first comment with lines of `key: value`, and its body. index.html and 404.html stay, about.html becomes about/index.html. */
export function readPage(file, text) {
  const head = /^<!--\n([^]*?)\n-->\n/.exec(text);
  if (!head) throw new Error(`${file} has no settings: begin it with a comment that holds lines of "key: value"`);
  const settings = Object.fromEntries(head[1].split('\n').map((line) => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()]));
  const name = file.replace(/\.html$/, '');
  const stays = name === 'index' || name === '404';
  return { settings, body: text.slice(head[0].length), output: stays ? file : `${name}/index.html`, path: name === 'index' ? '/' : `/${name}/` };
}
