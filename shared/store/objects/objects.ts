// The port Objects on SQLite.
import { InvalidObject, type Kind, type NewObj, type Obj } from '../../objects/kinds.ts';
import type { ListOptions, Objects, Page, WatchOptions } from '../../ports/objects.ts';
import type { Database } from '../database/database.ts';
import { type Place, type ReadPage, createPages } from './list.ts';
import { checkKind, prepareNew, prepareSpec, prepareStatus } from './prepare.ts';
import { type Records, type Row, createRecords, toObject, toWritten } from './records.ts';
import { createWatch } from './watch.ts';

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 1000;

export function createObjects(db: Database, records: Records = createRecords(db.sql)): Objects {
  const page = createPages(db.sql);
  const watch = createWatch(db.sql, records, page);

  const write = async <K extends Kind>(fn: () => Row): Promise<Obj<K>> => {
    const row = await db.write(fn, (written) => {
      records.committed(written);
      records.wake();
    });
    return toWritten<K>(row);
  };

  return {
    get: async (kind, ref) => {
      checkKind(kind);
      const row = records.get(kind, ref);
      return row && toObject(row);
    },
    list: async (kind, options = {}) => {
      checkKind(kind);
      return list(page, records, kind, options);
    },
    create: async <K extends Kind>(object: NewObj<K>) => {
      const prepared = prepareNew(object);
      return write<K>(() => records.insert(prepared));
    },
    update: async <K extends Kind>(object: Obj<K>) => {
      const prepared = prepareSpec(object);
      return write<K>(() => records.replaceSpec(prepared));
    },
    updateStatus: async <K extends Kind>(object: Obj<K>) => {
      const prepared = prepareStatus(object);
      return write<K>(() => records.replaceStatus(prepared));
    },
    delete: async (kind, ref, precondition = {}) => {
      checkKind(kind);
      await db.write(() => records.remove(kind, ref, precondition), records.wake);
    },
    watch: <K extends Kind>(kind: K, options: WatchOptions) => {
      checkKind(kind);
      return watch(kind, options);
    },
  };
}

function list<K extends Kind>(page: ReadPage, records: Records, kind: K, options: ListOptions): Page<Obj<K>> {
  const limit = Math.min(Math.max(1, Math.floor(options.limit ?? DEFAULT_LIMIT)), MAX_LIMIT);
  const from = options.continue === undefined ? undefined : readToken(options.continue);
  const version = from?.version ?? String(records.version());
  const { rows, next } = page(kind, options, from?.place, limit);
  const items = rows.map((row) => toObject<K>(row));
  return { items, resourceVersion: version, ...(next && { continue: writeToken(next, version) }) };
}

/** All pages of a list bear the version of the first: watched from there, nothing is missed. */
function writeToken(place: Place, version: string): string {
  return Buffer.from(JSON.stringify([place.namespace, place.name, place.id, version])).toString('base64url');
}

function readToken(token: string): { place: Place; version: string } {
  try {
    const parts = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown;
    if (Array.isArray(parts) && parts.map((part) => typeof part).join() === 'string,string,number,string') {
      const [namespace, name, id, version] = parts as [string, string, number, string];
      return { place: { namespace, name, id }, version };
    }
  } catch {
    // Said below: whatever is wrong with it, it is no token of ours.
  }
  throw new InvalidObject('The continue token is not one of a list: leave it out to begin at the first page');
}
