// Any object of any kind at the API server, by its apiVersion and kind: read, listed, applied, removed.
import type { KubeObject } from '../../../knative/generate/object.ts';
import { type KubeClient, PATCH } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';

export interface Ref {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string | undefined };
}

/** An object as the server has it. */
export interface Live extends KubeObject {
  metadata: KubeObject['metadata'] & {
    uid: string;
    resourceVersion: string;
    generation?: number;
    creationTimestamp: string;
    deletionTimestamp?: string;
    ownerReferences?: { kind: string; name: string; controller?: boolean }[];
  };
  status?: Status;
}

export interface Status {
  observedGeneration?: number;
  conditions?: Condition[];
  [field: string]: unknown;
}

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export interface ListOptions {
  /** Absent: in all. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
}

export interface Resources {
  client: KubeClient;
  get(ref: Ref): Promise<Live | undefined>;
  /** Every object there is. Empty where the server does not know the kind. */
  list(apiVersion: string, kind: string, options?: ListOptions): Promise<Live[]>;
  /** Server-side apply as field manager "tidemill"; what others set stays, but in the fields that are ours. */
  apply(object: KubeObject, options?: { dryRun?: boolean }): Promise<Live>;
  /** False: it was not there. Resolves when the server took it, not when it is gone. */
  remove(ref: Ref, options?: { uid?: string }): Promise<boolean>;
  /** Whether the server knows the kind now. */
  serves(apiVersion: string, kind: string): Promise<boolean>;
  /** Name of the kind in addresses and in rules, such as "deployments". Throws for a kind that the server does not know. */
  pluralOf(apiVersion: string, kind: string): Promise<string>;
}

interface Known {
  plural: string;
  namespaced: boolean;
}

export const FIELD_MANAGER = 'tidemill';
const PAGE = 500;

export function createResources(client: KubeClient): Resources {
  const known = new Map<string, Promise<Map<string, Known>>>();

  /** A group version that is not there is asked for again the next time: somebody may install it meanwhile. */
  const kindsOf = (apiVersion: string): Promise<Map<string, Known>> => {
    const there = known.get(apiVersion);
    if (there) return there;
    const asked = discover(client, apiVersion);
    known.set(apiVersion, asked);
    const forget = () => void known.delete(apiVersion);
    asked.then((kinds) => kinds.size === 0 && forget(), forget);
    return asked;
  };

  const find = async (apiVersion: string, kind: string): Promise<Known | undefined> => {
    const found = (await kindsOf(apiVersion)).get(kind);
    if (found) return found;
    known.delete(apiVersion);
    return (await kindsOf(apiVersion)).get(kind);
  };

  const pathOf = async ({ apiVersion, kind, metadata: { name, namespace } }: Ref): Promise<string> => {
    const { plural, namespaced } = wanted(await find(apiVersion, kind), apiVersion, kind);
    if (namespaced && !namespace) throw new Error(`${kind} ${name} is of a namespace, and none was named`);
    return `${rootOf(apiVersion)}/${namespaced ? `namespaces/${namespace}/` : ''}${plural}/${name}`;
  };

  return {
    client,
    get: async (ref) => {
      if (!(await find(ref.apiVersion, ref.kind))) return undefined;
      return await orUndefined(client.request<Live>('GET', await pathOf(ref)));
    },
    list: async (apiVersion, kind, { namespace, labelSelector } = {}) => {
      const found = await find(apiVersion, kind);
      if (!found) return [];
      const path = `${rootOf(apiVersion)}/${namespace && found.namespaced ? `namespaces/${namespace}/` : ''}${found.plural}`;
      const items: Live[] = [];
      let next: string | undefined;
      do {
        const page = await client.request<{ items: Live[]; metadata: { continue?: string } }>('GET', path, {
          query: { limit: PAGE, labelSelector, continue: next },
        });
        for (const item of page.items) items.push({ ...item, apiVersion, kind });
        next = page.metadata.continue || undefined;
      } while (next);
      return items;
    },
    apply: async (object, { dryRun } = {}) =>
      await client.request<Live>('PATCH', await pathOf(object), {
        body: object,
        contentType: PATCH.apply,
        query: { fieldManager: FIELD_MANAGER, force: true, ...(dryRun && { dryRun: 'All' }) },
      }),
    remove: async (ref, { uid } = {}) => {
      const body = { propagationPolicy: 'Background', ...(uid && { preconditions: { uid } }) };
      return (await orUndefined(client.request('DELETE', await pathOf(ref), { body }))) !== undefined;
    },
    serves: async (apiVersion, kind) => (await find(apiVersion, kind)) !== undefined,
    pluralOf: async (apiVersion, kind) => wanted(await find(apiVersion, kind), apiVersion, kind).plural,
  };
}

const rootOf = (apiVersion: string) => (apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`);

function wanted(found: Known | undefined, apiVersion: string, kind: string): Known {
  if (!found) throw new Error(`This cluster does not know the kind ${kind} of ${apiVersion}`);
  return found;
}

async function discover(client: KubeClient, apiVersion: string): Promise<Map<string, Known>> {
  const list = await orUndefined(client.request<{ resources: { name: string; kind: string; namespaced: boolean }[] }>('GET', rootOf(apiVersion)));
  const own = (list?.resources ?? []).filter(({ name }) => !name.includes('/'));
  return new Map(own.map(({ name, kind, namespaced }) => [kind, { plural: name, namespaced }]));
}

export async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}

/** As people name an object: `Deployment tidemill-system/api`. */
export const titleOf = ({ kind, metadata: { name, namespace } }: Ref): string => `${kind} ${namespace ? `${namespace}/` : ''}${name}`;

export const keyOf = ({ apiVersion, kind, metadata: { name, namespace } }: Ref): string => `${apiVersion} ${kind} ${namespace ?? ''} ${name}`;
