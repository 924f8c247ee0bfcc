// The rows that were written last, as the table has them: what a function does next mostly begins with what it wrote before.
import type { Kind } from '../../objects/kinds.ts';
import type { Ref } from '../../ports/objects.ts';
import type { Row } from './records.ts';

const MAX_ROWS = 256;
/** Characters: larger ones are read from the table. */
const MAX_SIZE = 16_384;

/** Only this process writes the table (database/lock.ts), so nothing else can make these old. */
export interface Recent {
  /** The row as it was committed; undefined: it is not here, which says nothing. Not to be changed. */
  get(kind: Kind, ref: Ref): Row | undefined;
  /** Was written, or deleted, under this version, in a transaction that may yet be undone: from now on the table is asked. */
  touched(kind: Kind, ref: Ref, version: number): void;
  /** The transaction that wrote this row is on disk. If it wrote the same object again after that, the table is still asked. */
  committed(row: Row): void;
}

export function createRecent(): Recent {
  const rows = new Map<string, { version: number; row?: Row }>();
  return {
    get: (kind, ref) => rows.get(keyOf(kind, ref))?.row,
    touched: (kind, ref, version) => {
      const key = keyOf(kind, ref);
      rows.delete(key);
      rows.set(key, { version });
      if (rows.size <= MAX_ROWS) return;
      const [oldest] = rows.keys();
      rows.delete(oldest!);
    },
    committed: (row) => {
      const there = rows.get(keyOf(row.kind, row));
      if (there?.version === row.version && row.spec.length + (row.status?.length ?? 0) <= MAX_SIZE) there.row = row;
    },
  };
}

const keyOf = (kind: Kind, { namespace, name }: Ref) => `${kind}/${namespace}/${name}`;
