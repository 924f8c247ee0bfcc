// .tidemill.yaml: what a repository itself says of how it is built. Strict, bounded, and every error with its line and column. Pure.
import { isMap, isPair, isScalar, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import { z } from 'zod';
import { stages } from '../../objects/pipeline.ts';
import { buildSpec, siteSpec } from '../../objects/project.ts';

export const PLAN_FILE = '.tidemill.yaml';

/** Its schema; docs/schemas holds it as JSON Schema, for editors. */
export const planFile = z.strictObject({
  build: buildSpec.optional(),
  site: siteSpec.optional(),
  stages: stages.optional(),
});
export type PlanFile = z.infer<typeof planFile>;

const MAX_SIZE = 256 * 1024;
const MAX_ALIASES = 100;
const MAX_ERRORS = 5;
/** Deeper than any Task is, and shallow enough for every reader. */
const MAX_DEPTH = 64;

/** Decided before the repository is read, so they cannot stand in it. */
const OF_THE_PROJECT = new Set(['branches', 'lane', 'source', 'release', 'poll', 'paused', 'pipeline']);

/** The file's content, or a sentence that names line and column of what is wrong. */
export function parsePlanFile(text: string): { file: PlanFile } | { error: string } {
  if (text.length > MAX_SIZE)
    return { error: `${PLAN_FILE} has ${text.length} characters; ${MAX_SIZE} are the most. Move scripts into files of the repository.` };
  if (depthOf(text) > MAX_DEPTH) return { error: `${PLAN_FILE} is nested more than ${MAX_DEPTH} deep` };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const wrong = document.errors[0];
  if (wrong) return { error: at(lines, wrong.pos[0], wrong.message) };
  const value = toValue(document);
  if ('error' in value) return { error: `${PLAN_FILE}: ${value.error}` };
  const checked = planFile.safeParse(value.value ?? {});
  if (checked.success) return { file: checked.data };
  return {
    error: checked.error.issues
      .flatMap((issue) => describe(issue, document, lines))
      .slice(0, MAX_ERRORS)
      .join('\n'),
  };
}

function toValue(document: Document): { value: unknown } | { error: string } {
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown };
  } catch (error) {
    return { error: `${(error as Error).message}; write the repeated parts out` };
  }
}

/** How deep flow brackets and indentation can nest at most: a bound, found without parsing, that keeps the parser from running out of stack. */
function depthOf(text: string): number {
  let deepest = 0;
  let open = 0;
  for (const line of text.split('\n')) {
    const dashes = /^[ ]*(?:[-?:][ \t]+)*/.exec(line)![0];
    const steps = dashes.match(/[-?:]/g)?.length ?? 0;
    for (const character of line) {
      if (character === '[' || character === '{') deepest = Math.max(deepest, ++open);
      else if ((character === ']' || character === '}') && open > 0) open--;
    }
    deepest = Math.max(deepest, steps);
  }
  return Math.max(deepest, indentLevels(text));
}

function indentLevels(text: string): number {
  const levels: number[] = [];
  let deepest = 0;
  for (const line of text.split('\n')) {
    const indent = line.search(/[^ ]/);
    if (indent < 0) continue;
    while (levels.length && levels.at(-1)! >= indent) levels.pop();
    levels.push(indent);
    deepest = Math.max(deepest, levels.length);
  }
  return deepest;
}

function describe(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): string[] {
  if (issue.code !== 'unrecognized_keys') return [at(lines, positionOf(document, issue.path), `${where(issue.path)}${issue.message}`)];
  return issue.keys.map((key) => {
    const top = issue.path.length === 0 && OF_THE_PROJECT.has(key);
    const says = top ? `"${key}" belongs to the project, since it is needed before the repository is read; set it there` : `there is no "${key}" here`;
    return at(lines, positionOf(document, issue.path, key), `${where(issue.path)}${says}`);
  });
}

function where(path: readonly PropertyKey[]): string {
  return path.length ? `${path.map(String).join('.')}: ` : '';
}

/** Where the value at a path begins; of what is missing, where it would belong. With `key`, the key of that name in it. */
function positionOf(document: Document, path: readonly PropertyKey[], key?: string): number {
  for (let length = path.length; length >= 0; length--) {
    const node = (length === 0 ? document.contents : document.getIn(path.slice(0, length), true)) as Node | null | undefined;
    const pair = key !== undefined && isMap(node) ? node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key) : undefined;
    const found = (pair?.key as Node | undefined) ?? node;
    if (found?.range) return found.range[0];
  }
  return 0;
}

function at(lines: LineCounter, offset: number, message: string): string {
  const { line, col } = lines.linePos(offset);
  return `${PLAN_FILE}:${Math.max(1, line)}:${Math.max(1, col)}: ${message}`;
}
