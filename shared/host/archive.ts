// Finished executions kept as documents in Storage, found by name and listed newest first, so that the objects of a cluster are those that live.
import { commitPattern, executionPattern } from '../decisions/names.ts';
import type { Obj } from '../objects/kinds.ts';
import type { Storage } from '../ports/storage.ts';

/** An execution with what belongs to it. */
export interface ArchivedExecution {
  execution: Obj<'Execution'>;
  /** Its source, which others may have too, and sites that nothing live names. */
  artifacts: Obj<'Artifact'>[];
  taskRuns: Obj<'TaskRun'>[];
}

export interface ArchivePage {
  items: Obj<'Execution'>[];
  /** Give it back for the next page; absent: this was the last. */
  continue?: string;
}

export interface Archive {
  /** Durable, listed and found by name when it resolves. One that is kept already stays as it is. */
  put(document: ArchivedExecution): Promise<void>;
  get(namespace: string, execution: string): Promise<ArchivedExecution | undefined>;
  /** The execution that was archived last of those that ran at this commit, by the name of their source. */
  getBySource(namespace: string, source: string): Promise<ArchivedExecution | undefined>;
  /**
   * Newest first, by creation; of a project or of all. What stands at the same place in several namespaces (one push, built by projects of one name) is
   * on one page, which may come out longer by that.
   */
  list(options: { namespaces: readonly string[]; project?: string | undefined; limit: number; continue?: string | undefined }): Promise<ArchivePage>;
}

const ROOT = 'archive';
/** No project can have this name. */
const ALL = '_all';
/** Of milliseconds since 1970, until the year 2286. Subtracted from it, times sort newest first. */
const FUTURE_MS = 9_999_999_999_999;
const TIME_LENGTH = 13;
const AT_ONCE = 16;

export function createArchive({ storage }: { storage: Pick<Storage, 'put' | 'get' | 'stat' | 'list'> }): Archive {
  const read = async (key: string): Promise<ArchivedExecution | undefined> => {
    const found = await storage.get(key);
    return found && (JSON.parse(Buffer.concat(await found.body.toArray()).toString('utf8')) as ArchivedExecution);
  };

  return {
    put: async (document) => {
      const { metadata, spec } = document.execution;
      const { namespace, name, creationTimestamp } = metadata;
      const key = keyOf(namespace, name);
      if (!key) throw new Error(`Execution ${namespace}/${name} has no derived name, by which it could be found again`);
      if (!(await storage.stat(key))) await storage.put(key, Buffer.from(JSON.stringify(document)));
      const place = `${String(FUTURE_MS - Date.parse(creationTimestamp)).padStart(TIME_LENGTH, '0')}-${name}`;
      const pointers = [spec.project, ALL].map((list) => `${listOf(namespace, list)}${place}`);
      const ofCommit = sourceKeyOf(namespace, spec.source);
      await Promise.all([...pointers, ...(ofCommit ? [ofCommit] : [])].map((pointer) => storage.put(pointer, Buffer.from(key))));
    },
    get: async (namespace, name) => {
      const key = keyOf(namespace, name);
      return key === undefined ? undefined : read(key);
    },
    getBySource: async (namespace, source) => {
      const pointer = sourceKeyOf(namespace, source);
      const found = pointer === undefined ? undefined : await storage.get(pointer);
      return found && read(Buffer.concat(await found.body.toArray()).toString('utf8'));
    },
    list: async ({ namespaces, project = ALL, limit, continue: after }) => {
      const lists: { namespace: string; places: string[]; more: boolean }[] = [];
      for (let at = 0; at < namespaces.length; at += AT_ONCE) {
        const some = namespaces.slice(at, at + AT_ONCE).map(async (namespace) => {
          const prefix = listOf(namespace, project);
          const { keys, more } = await storage.list(prefix, { limit, ...(after && { after: `${prefix}${after}` }) });
          return { namespace, places: keys.map((key) => key.slice(prefix.length)), more: more === true };
        });
        lists.push(...(await Promise.all(some)));
      }
      const { chosen, more } = merged(lists, limit);
      const items: Obj<'Execution'>[] = [];
      for (let at = 0; at < chosen.length; at += AT_ONCE) {
        const some = chosen.slice(at, at + AT_ONCE).flatMap(({ namespace, place }) => keyOf(namespace, place.slice(TIME_LENGTH + 1)) ?? []);
        const documents = await Promise.all(some.map(read));
        items.push(...documents.flatMap((document) => document?.execution ?? []));
      }
      return { items, ...(more && { continue: chosen.at(-1)!.place }) };
    },
  };
}

/** The first so many of all, in the order of their places; those of one place together. */
function merged(lists: readonly { namespace: string; places: string[]; more: boolean }[], limit: number) {
  const all = lists
    .flatMap(({ namespace, places }) => places.map((place) => ({ namespace, place })))
    .toSorted((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
  const last = all[limit - 1]?.place;
  const chosen = last === undefined ? all : all.filter(({ place }) => place <= last);
  return { chosen, more: chosen.length < all.length || lists.some(({ more }) => more) };
}

/** Undefined: no execution of ours has this name. */
function keyOf(namespace: string, name: string): string | undefined {
  const project = executionPattern.exec(name)?.[1];
  return project && `${ROOT}/${namespace}/${project}/executions/${name}.json`;
}

/** Undefined: no commit's source has this name, though that of an execution may. */
function sourceKeyOf(namespace: string, name: string): string | undefined {
  const project = commitPattern.exec(name)?.[1];
  return project && `${ROOT}/${namespace}/${project}/sources/${name}`;
}

function listOf(namespace: string, project: string): string {
  return `${ROOT}/${namespace}/${project}/newest/`;
}
