// Pages of objects, in the order of namespace and name, always from an index: the primary key, or that of one label.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { InvalidObject, type Kind } from '../objects/kinds.ts';
import type { ListOptions } from '../ports/objects.ts';
import type { Row } from './records.ts';

/** Characters of spec and status in one page, so that reading one never holds up the event loop. The first object is always in. */
const PAGE_SIZE = 1_000_000;
/** Labels are counted up to here to find the one that fewest objects carry. */
const COUNT_TO = 200;
const MAX_LABELS = 8;

export interface Place {
  namespace: string;
  name: string;
}

export interface RowPage {
  rows: Row[];
  /** Where the next page begins; undefined after the last. */
  next: Place | undefined;
}

export type ReadPage = (kind: Kind, options: Pick<ListOptions, 'namespace' | 'labels'>, after: Place | undefined, limit: number) => RowPage;

export function createPages(sql: DatabaseSync): ReadPage {
  const statements = new Map<string, StatementSync>();
  const prepared = (text: string) => {
    const known = statements.get(text);
    if (known) return known;
    const statement = sql.prepare(text);
    statements.set(text, statement);
    return statement;
  };
  const count = prepared('SELECT count(*) AS n FROM (SELECT 1 FROM labels WHERE kind = ? AND key = ? AND value = ? LIMIT ?)');

  /** The labels, the one that fewest objects carry first. */
  const byRarity = (kind: Kind, labels: [string, string][]) => {
    if (labels.length < 2) return labels;
    const counted = labels.map((label) => ({ label, n: (count.get(kind, ...label, COUNT_TO) as { n: number }).n }));
    return counted.sort((a, b) => a.n - b.n).map(({ label }) => label);
  };

  return (kind, options, after, limit) => {
    const labels = byRarity(kind, checkLabels(options.labels));
    const arguments_: string[] = [kind];
    const table = labels.length > 0 ? 'l' : 'o';
    let text = 'SELECT o.* FROM objects o WHERE o.kind = ?';
    if (labels.length > 0) {
      text = 'SELECT o.* FROM labels l CROSS JOIN objects o ON o.kind = l.kind AND o.namespace = l.namespace AND o.name = l.name WHERE l.kind = ? AND l.key = ? AND l.value = ?';
      arguments_.push(...labels[0]!);
    }
    if (options.namespace !== undefined) {
      text += ` AND ${table}.namespace = ?`;
      arguments_.push(options.namespace);
      if (after) {
        text += ` AND ${table}.name > ?`;
        arguments_.push(after.name);
      }
    } else if (after) {
      text += ` AND (${table}.namespace, ${table}.name) > (?, ?)`;
      arguments_.push(after.namespace, after.name);
    }
    for (const label of labels.slice(1)) {
      text += ' AND EXISTS (SELECT 1 FROM labels m WHERE m.kind = l.kind AND m.key = ? AND m.value = ? AND m.namespace = l.namespace AND m.name = l.name)';
      arguments_.push(...label);
    }
    text += ` ORDER BY ${table}.namespace, ${table}.name LIMIT ?`;
    return cut(prepared(text).iterate(...arguments_, limit + 1) as Iterable<Row>, limit);
  };
}

function checkLabels(labels: Record<string, string> | undefined): [string, string][] {
  const entries = Object.entries(labels ?? {});
  if (entries.length > MAX_LABELS) throw new InvalidObject(`A list by ${entries.length} labels; ${MAX_LABELS} are the most`);
  return entries;
}

function cut(rows: Iterable<Row>, limit: number): RowPage {
  const taken: Row[] = [];
  let size = 0;
  for (const row of rows) {
    size += row.spec.length + (row.status?.length ?? 0);
    const last = taken.at(-1);
    if (last && (taken.length === limit || size > PAGE_SIZE)) return { rows: taken, next: { namespace: last.namespace, name: last.name } };
    taken.push(row);
  }
  return { rows: taken, next: undefined };
}
