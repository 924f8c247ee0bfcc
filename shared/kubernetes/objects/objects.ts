// The port Objects on Kubernetes: tidemill's custom resources, and Tekton's TaskRuns.
import type { Log } from '../../host/contract.ts';
import { InvalidObject, type Kind, type Obj } from '../../objects/kinds.ts';
import type { Objects, Page, Ref } from '../../ports/objects.ts';
import type { KubeClient } from '../client/client.ts';
import { isAsWritten, type Raw, toObject, toWritten } from './convert.ts';
import { isMissing, portError } from './errors.ts';
import { list } from './list.ts';
import { createRecent, createRecentList } from './recent.ts';
import { canExist, checkKind, objectPath } from './resources.ts';
import { type WatchSettings, createWatch } from './watch/watch.ts';
import { type Applied, type ApplyOptions, createWrites } from './write.ts';

/** An object that somebody wrote by hand, and that does not fit its schema. */
export interface Unfit {
  kind: Kind;
  ref: Ref;
  uid: string;
  resourceVersion: string;
  generation: number;
  /** Names the fields. */
  message: string;
}

export interface KubernetesObjectsOptions {
  client: KubeClient;
  /** Who our writes are by, as `kubectl get --show-managed-fields` tells it. Default "tidemill". */
  fieldManager?: string;
  /** Told of connections that a watch lost, and of objects that do not fit. */
  log?: Pick<Log, 'warn'>;
  /**
   * Lists and watches leave out what does not fit its schema and tell it here and in the log; with neither of the two they throw InvalidObject,
   * so that one broken object stops them all. `get` always throws. What functions write, and nobody else wrote to, was checked then.
   */
  onUnfit?: (unfit: Unfit) => void;
  watch?: WatchSettings;
}

export interface KubernetesObjects extends Objects {
  /** Server-side apply: owns the fields that are given and no others. Throws FieldConflict (a Conflict), InvalidObject. */
  apply<K extends Kind>(object: Applied<K>, options?: ApplyOptions): Promise<Obj<K>>;
}

/** Read for each event, and changed by people. Of what events change, a version of moments ago is mostly refused when it is written. */
const SELDOM_CHANGED: ReadonlySet<Kind> = new Set(['Project', 'Pipeline']);

export function createKubernetesObjects({ client, fieldManager = 'tidemill', log, onUnfit, watch = {} }: KubernetesObjectsOptions): KubernetesObjects {
  const writes = createWrites(client, fieldManager);

  // Most of what is read is as functions wrote it, and the check takes longer than all else that is done about it.
  const checked = <K extends Kind>(kind: K, raw: Raw): Obj<K> => (isAsWritten(kind, raw, fieldManager) ? toWritten(kind, raw) : toObject(kind, raw));

  const admit = <K extends Kind>(kind: K, raw: Raw): Obj<K> | undefined => {
    try {
      return checked(kind, raw);
    } catch (error) {
      if (!(error instanceof InvalidObject) || (!onUnfit && !log)) throw error;
      const { namespace, name, uid, resourceVersion, generation = 0 } = raw.metadata;
      const unfit = { kind, ref: { namespace, name }, uid, resourceVersion, generation, message: error.message };
      log?.warn(unfit, 'an object that does not fit its schema is left out: mend it, or delete it');
      onUnfit?.(unfit);
      return undefined;
    }
  };

  const read = async <K extends Kind>(kind: K, ref: Ref, query: Record<string, string> = {}): Promise<Obj<K> | undefined> => {
    try {
      return checked(kind, await client.request<Raw>('GET', objectPath(kind, ref), { query }));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw portError(kind, ref, error);
    }
  };

  const readCached = (kind: Kind, ref: Ref) => read(kind, ref, { resourceVersion: '0' });
  const recentGet = createRecent(readCached);
  const recentList = createRecentList((kind, options) => list(client, admit, kind, options));

  return {
    get: async (kind, ref, { mayLag = false } = {}) => {
      checkKind(kind);
      if (!canExist(ref)) return undefined;
      // What the cache does not have yet, the store may.
      const cached = mayLag ? await (SELDOM_CHANGED.has(kind) ? recentGet : readCached)(kind, { namespace: ref.namespace, name: ref.name }) : undefined;
      return (cached as Obj<typeof kind> | undefined) ?? (await read(kind, ref));
    },
    list: (kind, options = {}) => (options.mayLag ? (recentList(kind, options) as Promise<Page<Obj<typeof kind>>>) : list(client, admit, kind, options)),
    watch: createWatch(client, admit, { onTrouble: logTrouble(log), ...watch }),
    ...writes,
  };
}

const logTrouble =
  (log: Pick<Log, 'warn'> | undefined): NonNullable<WatchSettings['onTrouble']> =>
  ({ kind, error, tries, wait_ms }) =>
    log?.warn({ kind, tries, wait_ms: Math.round(wait_ms), reason: error.message }, 'a watch was lost; it is taken up again');
