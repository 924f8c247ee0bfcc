// Writes what is generated from the graph and the schemas (npm run generate), or says what is out of date (npm run check).
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { argv, stdout } from 'node:process';
import { crdFiles } from '../knative/generate/crds.ts';
import { kustomizeFiles } from '../knative/generate/kustomize/files.ts';
import { diagram, road } from './diagram.ts';
import { planFileSchema } from './schemas.ts';
import { cycleList, eventTable, functionTable } from './table.ts';

const ROOT = resolve(import.meta.dirname, '..');

/** The generated text of each file, made from what the file holds now. */
const generated: Record<string, (current: string) => string> = {
  'README.md': (text) => between(text, 'diagram', mermaid(road())),
  'eventing/README.md': (text) =>
    [
      ['diagram', mermaid(diagram())],
      ['functions', functionTable()],
      ['events', eventTable()],
      ['cycles', cycleList()],
    ].reduce((page, [name, body]) => between(page, name ?? '', body ?? ''), text),
  'docs/schemas/tidemill.schema.json': planFileSchema,
  ...Object.fromEntries(crdFiles().map(({ path, content }) => [path, () => content])),
  ...Object.fromEntries(Object.entries(kustomizeFiles()).map(([path, content]) => [path, () => content])),
};

export const generatedFiles = Object.keys(generated);

/** Folders that hold nothing but what is generated: a file of an earlier graph has no place in them. */
const OWN_FOLDERS = '{knative/{base,crds,overlays,project-namespace},eventing/{knative,jetstream}}/**/*.yaml';

function leftOver(root: string): string[] {
  return globSync(OWN_FOLDERS, { cwd: root })
    .filter((file) => !(file in generated))
    .toSorted();
}

function mermaid(chart: string): string {
  return ['```mermaid', chart, '```'].join('\n');
}

/** Replaces what stands between `<!-- name:begin … -->` and `<!-- name:end -->`. Throws where the marks are missing. */
export function between(page: string, name: string, body: string): string {
  const begin = new RegExp(`<!-- ${name}:begin[^>]*-->`).exec(page);
  const end = page.indexOf(`<!-- ${name}:end -->`);
  if (!begin || end < begin.index)
    throw new Error(`The marks <!-- ${name}:begin --> and <!-- ${name}:end --> are missing: put them where the ${name} should be`);
  return `${page.slice(0, begin.index + begin[0].length)}\n\n${body}\n\n${page.slice(end)}`;
}

function contentOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** A sentence for each generated file that is not what the graph and the schemas make of it, or is made no more. */
export function drift(root = ROOT): string[] {
  const old = Object.entries(generated).flatMap(([file, make]) => {
    const current = contentOf(join(root, file));
    return make(current) === current ? [] : [`${file} is out of date: run npm run generate`];
  });
  return [...old, ...leftOver(root).map((file) => `${file} is not generated any more: run npm run generate`)];
}

/** Writes every generated file that is out of date and removes those that are made no more; gives their paths. */
export function generate(root = ROOT): string[] {
  const removed = leftOver(root);
  for (const file of removed) rmSync(join(root, file));
  const written = Object.entries(generated).flatMap(([file, make]) => {
    const current = contentOf(join(root, file));
    const next = make(current);
    if (next === current) return [];
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), next);
    return [file];
  });
  return [...removed, ...written];
}

if (argv[1] === import.meta.filename) {
  const written = generate();
  stdout.write(written.length > 0 ? `${written.map((file) => `wrote ${file}`).join('\n')}\n` : 'Everything generated is up to date.\n');
}
