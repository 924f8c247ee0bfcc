// The documents of a YAML file, with the place of each field, so that what is wrong can be pointed at.
import { LineCounter, type Document, isNode, parseAllDocuments } from 'yaml';
import { InvalidTaskRun } from '../../ports/runner.ts';

/** Characters that a file may have. */
export const FILE_LIMIT = 16 * 1024 * 1024;

/** What is wrong with the file: "<file>:<line>:<column>: <what>". */
export class InvalidFile extends Error {
  override name = 'InvalidFile';
}

export interface Manifest {
  apiVersion: string;
  kind: string;
  name: string;
  /** The whole document as plain data. */
  content: Record<string, unknown>;
  /** "<file>:<line>:<column>" of the value at this path, or of the closest one above it. */
  place(path: readonly (string | number)[]): string;
}

/** Throws InvalidFile. Documents of kind List are taken apart. */
export function parseDocuments(text: string, file: string): Manifest[] {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const parsed = parseAllDocuments(text, { lineCounter: lines, version: '1.2', merge: true });
  const documents: Document.Parsed[] = 'empty' in parsed ? [] : parsed;
  const manifests: Manifest[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error) throw new InvalidFile(`${at(error.pos[0])}: ${error.message.split(' at line ')[0] ?? error.message}`);
    const content: unknown = contentOf(document, at);
    if (content === null || content === undefined) continue;
    manifests.push(...manifestsIn(content, document, at, []));
  }
  return manifests;
}

/** An alias that expands without end is refused by the parser's own limit. */
function contentOf(document: Document.Parsed, at: (offset: number) => string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new InvalidFile(`${at(document.range[0])}: ${(error as Error).message}`);
  }
}

function manifestsIn(content: unknown, document: Document.Parsed, at: (offset: number) => string, path: readonly (string | number)[]): Manifest[] {
  const place = (inner: readonly (string | number)[]) => at(offsetOf(document, [...path, ...inner]));
  if (typeof content !== 'object' || content === null || Array.isArray(content)) throw new InvalidFile(`${place([])}: this is no Kubernetes object`);
  const { apiVersion, kind, metadata, items } = content as Record<string, unknown>;
  if (kind === 'List' && Array.isArray(items)) return items.flatMap((item, index) => manifestsIn(item, document, at, [...path, 'items', index]));
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') throw new InvalidFile(`${place([])}: apiVersion and kind are missing`);
  const { name, generateName } = (metadata ?? {}) as { name?: unknown; generateName?: unknown };
  const known = typeof name === 'string' ? name : typeof generateName === 'string' ? generateName : '';
  if (!known && kind !== 'TaskRun') throw new InvalidFile(`${place(['metadata'])}: metadata.name is missing`);
  return [{ apiVersion, kind, name: known, content: content as Record<string, unknown>, place }];
}

function offsetOf(document: Document.Parsed, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return isNode(document.contents) && document.contents.range ? document.contents.range[0] : document.range[0];
}

/** Runs a check whose InvalidTaskRun names a field, and says where in the file that field is. `prefix`: how the check calls `path`. */
export function located<T>(manifest: Manifest, prefix: string, path: readonly (string | number)[], check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof InvalidTaskRun)) throw error;
    const [field = ''] = /^[^\s:]+/.exec(error.message) ?? [];
    const rest = field.startsWith(prefix) ? field.slice(prefix.length) : '';
    const keys = [...rest.matchAll(/\.([^.[\]]+)|\[(\d+)\]/g)].map(([, key, index]) => (index === undefined ? key! : Number(index)));
    throw new InvalidFile(`${manifest.place([...path, ...keys])}: ${error.message}`);
  }
}
