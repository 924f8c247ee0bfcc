// Pages of objects, in the order of namespace and name, always from an index: the primary key, or that of one label.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { InvalidObject, type Kind } from '../../objects/kinds.ts';
import type { ListOptions } from '../../ports/objects.ts';
import type { Row } from './records.ts';

/** Characters of spec and status in one page, so that reading one never holds up the event loop. The first object is always in. */
const PAGE_SIZE = 1_000_000;
/** Labels are counted up to here to find the one that fewest objects carry. */
const COUNT_TO = 200;
const MAX_LABELS = 8;

/** The last object of a page. */
export type Place = Pick<Row, 'namespace' | 'name' | 'id'>;

export interface RowPage {
  rows: Row[];
  /** Where the next page begins; undefined after the last. */
  next: Place | undefined;
}

export type Selection = Pick<ListOptions, 'namespace' | 'labels' | 'order'>;
export type ReadPage = (kind: Kind, selection: Selection, after: Place | undefined, limit: number) => RowPage;

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

  return (kind, selection, after, limit) => {
    const labels = byRarity(kind, checkLabels(selection.labels));
    const { text, values } = query(kind, selection, labels, after);
    return cut(prepared(text).iterate(...values, limit + 1) as Iterable<Row>, limit);
  };
}

type Values = (string | number)[];

/** The statement for a page after this place, and what it is to be given before the limit. */
function query(kind: Kind, { namespace, order }: Selection, labels: [string, string][], after: Place | undefined): { text: string; values: Values } {
  const values: Values = [kind];
  const [first, ...others] = labels;
  let text = 'SELECT o.* FROM objects o WHERE o.kind = ?';
  if (first) {
    text = 'SELECT o.* FROM labels l CROSS JOIN objects o ON o.id = l.object WHERE l.kind = ? AND l.key = ? AND l.value = ?';
    values.push(...first);
  }
  const table = first ? 'l' : 'o';
  const id = first ? 'l.object' : 'o.id';
  const add = (condition: string, ...more: Values) => {
    text += ` AND ${condition}`;
    values.push(...more);
  };
  if (namespace !== undefined) add(`${table}.namespace = ?`, namespace);
  if (after) {
    if (order === 'newest') add(`${id} < ?`, after.id);
    else if (namespace !== undefined) add(`${table}.name > ?`, after.name);
    else add(`(${table}.namespace, ${table}.name) > (?, ?)`, after.namespace, after.name);
  }
  for (const label of others) {
    add('EXISTS (SELECT 1 FROM labels m WHERE m.kind = l.kind AND m.key = ? AND m.value = ? AND m.namespace = l.namespace AND m.name = l.name)', ...label);
  }
  text += order === 'newest' ? ` ORDER BY ${id} DESC` : ` ORDER BY ${table}.namespace, ${table}.name`;
  return { text: `${text} LIMIT ?`, values };
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
    if (last && (taken.length === limit || size > PAGE_SIZE)) return { rows: taken, next: last };
    taken.push(row);
  }
  return { rows: taken, next: undefined };
}
