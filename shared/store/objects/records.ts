// The rows behind objects: reads, and writes that run inside somebody's transaction and leave their line in the change log.
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { type Kind, type Obj, kinds } from '../../objects/kinds.ts';
import { AlreadyExists, Conflict, NotFound, type Ref } from '../../ports/objects.ts';
import type { Prepared } from './prepare.ts';
import { createRecent } from './recent.ts';

/** So many changes are kept for watches, of all kinds together; at least. */
const KEPT_CHANGES = 4096;
const TRIM_EVERY = 256;

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface Row {
  /** Grows with the time of creation. */
  id: number;
  kind: Kind;
  namespace: string;
  name: string;
  uid: string;
  version: number;
  generation: number;
  created: string;
  labels: string | null;
  annotations: string | null;
  spec: string;
  status: string | null;
}

/** A row without what may be long, and how long that is. */
type Head = Omit<Row, 'status'> & { status_bytes?: number | null };

export interface Precondition {
  uid?: string | undefined;
  resourceVersion?: string | undefined;
}

export interface Records {
  get(kind: Kind, ref: Ref): Row | undefined;
  /** Throws AlreadyExists. */
  insert(prepared: Prepared): Row;
  /** Like insert; undefined where it exists already. */
  insertIfAbsent(prepared: Prepared): Row | undefined;
  /** Throws NotFound, Conflict. */
  replaceSpec(prepared: Prepared): Row;
  /** Throws NotFound, Conflict. */
  replaceStatus(prepared: Prepared): Row;
  /** Throws NotFound, Conflict. */
  remove(kind: Kind, ref: Ref, precondition: Precondition): void;
  /** Newest version given out; every change that is yet to come has a higher one. */
  version(): number;
  /** Changes up to this version may be gone. */
  floor(): number;
  /** To be called after the commit of a row that was written: reads of it need not ask the table. */
  committed(row: Row): void;
  /** To be called after a commit that changed something: wakes those who wait for changes. */
  wake(): void;
  /** Resolves after the next wake, or when the signal is aborted. */
  changed(signal: AbortSignal): Promise<void>;
}

export function toObject<K extends Kind>(row: Row): Obj<K> {
  const object: Record<string, unknown> = {
    apiVersion: kinds[row.kind].apiVersion,
    kind: row.kind,
    metadata: {
      name: row.name,
      namespace: row.namespace,
      uid: row.uid,
      resourceVersion: String(row.version),
      generation: row.generation,
      creationTimestamp: row.created,
      ...(row.labels !== null && { labels: JSON.parse(row.labels) }),
      ...(row.annotations !== null && { annotations: JSON.parse(row.annotations) }),
    },
    spec: JSON.parse(row.spec),
  };
  if (row.status !== null) object['status'] = JSON.parse(row.status);
  return object as unknown as Obj<K>;
}

/** As toObject. The status is parsed when it is first looked at: who has written an object seldom reads what the store made of it. */
export function toWritten<K extends Kind>(row: Row): Obj<K> {
  const object = toObject<K>({ ...row, status: null });
  const text = row.status;
  if (text === null) return object;
  const put = (value: unknown) => Object.defineProperty(object, 'status', { value, writable: true, enumerable: true, configurable: true });
  const get = () => put(JSON.parse(text)).status;
  return Object.defineProperty(object, 'status', { get, set: put, enumerable: true, configurable: true });
}

/** The object as JSON, as toObject gives it: put together from what is text already. */
function textOf(row: Row): string {
  const given =
    `"name":${JSON.stringify(row.name)},"namespace":${JSON.stringify(row.namespace)},"uid":"${row.uid}","resourceVersion":"${row.version}",` +
    `"generation":${row.generation},"creationTimestamp":"${row.created}"`;
  const labels = row.labels === null ? '' : `,"labels":${row.labels}`;
  const annotations = row.annotations === null ? '' : `,"annotations":${row.annotations}`;
  const status = row.status === null ? '' : `,"status":${row.status}`;
  return `{"apiVersion":"${kinds[row.kind].apiVersion}","kind":"${row.kind}","metadata":{${given}${labels}${annotations}},"spec":${row.spec}${status}}`;
}

export function createRecords(sql: DatabaseSync): Records {
  const select = sql.prepare('SELECT * FROM objects WHERE kind = ? AND namespace = ? AND name = ?');
  const add = sql.prepare(
    'INSERT INTO objects (kind, namespace, name, uid, version, generation, created, labels, annotations, spec, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const selectHead = sql.prepare(
    `SELECT id, kind, namespace, name, uid, version, generation, created, labels, annotations, spec, octet_length(status) AS status_bytes
    FROM objects WHERE kind = ? AND namespace = ? AND name = ?`,
  );
  const changeSpec = sql.prepare('UPDATE objects SET version = ?, generation = ?, labels = ?, annotations = ?, spec = ? WHERE id = ?');
  const changeStatus = sql.prepare('UPDATE objects SET version = ?, labels = ?, status = ? WHERE id = ?');
  const drop = sql.prepare('DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?');
  const addLabel = sql.prepare('INSERT INTO labels (kind, key, value, namespace, name, object) VALUES (?, ?, ?, ?, ?, ?)');
  const dropLabel = sql.prepare('DELETE FROM labels WHERE kind = ? AND key = ? AND value = ? AND namespace = ? AND name = ?');
  const logChange = sql.prepare('INSERT INTO changes (version, kind, type, namespace, name, labels, labels_before, object) VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  const trim = sql.prepare('DELETE FROM changes WHERE version <= ?');

  let version = Number((sql.prepare('SELECT max(version) AS version FROM changes').get() as { version: number | null }).version ?? 0);
  const sleepers = new Set<() => void>();

  const recent = createRecent();
  const get = (kind: Kind, ref: Ref) => recent.get(kind, ref) ?? (select.get(kind, ref.namespace, ref.name) as Row | undefined);
  const getHead = (kind: Kind, ref: Ref) => selectHead.get(kind, ref.namespace, ref.name) as Head | undefined;

  const log = (type: ChangeType, row: Row, labelsBefore: string | null) => {
    recent.touched(row.kind, row, row.version);
    logChange.run(row.version, row.kind, type, row.namespace, row.name, row.labels, labelsBefore, textOf(row));
    if (row.version % TRIM_EVERY === 0) trim.run(row.version - KEPT_CHANGES);
  };

  const label = (row: Row, before: string | null, after: string | null) => {
    if (before === after) return;
    for (const [key, value] of Object.entries(parseLabels(before))) dropLabel.run(row.kind, key, value, row.namespace, row.name);
    for (const [key, value] of Object.entries(parseLabels(after))) addLabel.run(row.kind, key, value, row.namespace, row.name, row.id);
  };

  /** What was found, if nobody wrote since `prepared` was read. */
  const current = <T extends { version: number }>(prepared: Prepared, row: T | undefined): T => {
    if (!row) throw new NotFound(prepared.kind, prepared);
    if (row.version !== prepared.version) throw new Conflict(prepared.kind, prepared);
    return row;
  };

  const told = (before: Head, after: Row): Row => {
    label(after, before.labels, after.labels);
    log('MODIFIED', after, before.labels);
    return after;
  };

  const insertIfAbsent = (prepared: Prepared): Row | undefined => {
    const { kind, namespace, name } = prepared;
    if (get(kind, prepared)) return undefined;
    const row: Row = {
      id: 0,
      kind,
      namespace,
      name,
      uid: randomUUID(),
      version: ++version,
      generation: 1,
      created: new Date().toISOString(),
      labels: prepared.labelsText,
      annotations: prepared.annotationsText,
      spec: prepared.specText,
      status: prepared.statusText,
    };
    const values = [kind, namespace, name, row.uid, row.version, row.generation, row.created, row.labels, row.annotations, row.spec, row.status];
    row.id = Number(add.run(...values).lastInsertRowid);
    label(row, null, row.labels);
    log('ADDED', row, null);
    return row;
  };

  return {
    get,
    insertIfAbsent,
    insert: (prepared) => {
      const row = insertIfAbsent(prepared);
      if (!row) throw new AlreadyExists(prepared.kind, prepared);
      return row;
    },
    replaceSpec: (prepared) => {
      const row = current(prepared, get(prepared.kind, prepared));
      const sameSpec = sameJson(row.spec, prepared.specText);
      if (sameSpec && sameJson(row.labels, prepared.labelsText) && sameJson(row.annotations, prepared.annotationsText)) return row;
      const after: Row = {
        ...row,
        version: ++version,
        generation: row.generation + (sameSpec ? 0 : 1),
        labels: prepared.labelsText,
        annotations: prepared.annotationsText,
        spec: sameSpec ? row.spec : prepared.specText,
      };
      changeSpec.run(after.version, after.generation, after.labels, after.annotations, after.spec, after.id);
      return told(row, after);
    },
    replaceStatus: (prepared) => {
      const { kind, statusText: status, labelsText: labels } = prepared;
      const known = recent.get(kind, prepared);
      const head = current<Head>(prepared, known ?? getHead(kind, prepared));
      // A status of another length is another: it need not be read.
      const there = known ?? (head.status_bytes === (status === null ? null : Buffer.byteLength(status)) ? get(kind, prepared) : undefined);
      if (there && sameJson(there.status, status) && sameJson(there.labels, labels)) return there;
      const { id, namespace, name, uid, generation, created, annotations, spec } = head;
      const after: Row = { id, kind, namespace, name, uid, version: ++version, generation, created, labels, annotations, spec, status };
      changeStatus.run(after.version, labels, status, id);
      return told(head, after);
    },
    remove: (kind, ref, precondition) => {
      const row = get(kind, ref);
      if (!row) throw new NotFound(kind, ref);
      if (precondition.uid !== undefined && precondition.uid !== row.uid) throw new Conflict(kind, ref);
      if (precondition.resourceVersion !== undefined && precondition.resourceVersion !== String(row.version)) throw new Conflict(kind, ref);
      drop.run(kind, ref.namespace, ref.name);
      label(row, row.labels, null);
      log('DELETED', { ...row, version: ++version }, row.labels);
    },
    committed: recent.committed,
    version: () => version,
    floor: () => Math.max(0, version - KEPT_CHANGES),
    wake: () => {
      for (const wakeUp of sleepers) wakeUp();
    },
    changed: (signal) =>
      new Promise((resolve) => {
        const wakeUp = () => {
          sleepers.delete(wakeUp);
          signal.removeEventListener('abort', wakeUp);
          resolve();
        };
        if (signal.aborted) return resolve();
        sleepers.add(wakeUp);
        signal.addEventListener('abort', wakeUp);
      }),
  };
}

export function parseLabels(text: string | null): Record<string, string> {
  return text === null ? {} : (JSON.parse(text) as Record<string, string>);
}

/** Whether two texts hold the same JSON, whatever the order of their keys; both as JSON.stringify writes it. */
function sameJson(a: string | null, b: string | null): boolean {
  if (a === b) return true;
  return a !== null && b !== null && haveSameCharacters(a, b) && isDeepStrictEqual(JSON.parse(a), JSON.parse(b));
}

/** Texts that differ only by the order of their keys do; most others do not, which is found out for far less than parsing them costs. */
function haveSameCharacters(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference += a.charCodeAt(i) ** 2 - b.charCodeAt(i) ** 2;
  return difference === 0;
}
