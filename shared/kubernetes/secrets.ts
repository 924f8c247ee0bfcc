// Secrets of a cluster: objects of kind Secret that bear the label of ours, one value each. Read when needed; no other Secret is there for us.
import { name as nameSchema, namespace as namespaceSchema } from '../objects/fields.ts';
import { MissingSecret, SECRET_KEY, SECRET_LABEL, type Secrets } from '../ports/secrets.ts';
import { type KubeClient, PATCH } from './client/client.ts';
import { KubeError } from './client/error.ts';

/** The API server's own bound is 1 MiB for all keys. */
const MAX_BYTES = 65_536;
/** Someone else changes the same Secret: so often is it read and written again. */
const TRIES = 5;

interface Secret {
  metadata: { uid: string; resourceVersion: string; labels?: Record<string, string> };
  type?: string;
  data?: Record<string, string>;
}

/** Where a secret stands, and whether it is one that Tasks see, with keys of its own. */
interface Place {
  namespace: string;
  name: string;
  ofTasks: boolean;
}

export function createKubernetesSecrets({ client, fieldManager = 'tidemill' }: { client: KubeClient; fieldManager?: string }): Secrets {
  const query = { fieldManager, fieldValidation: 'Strict' };

  /** Undefined: there is none, or it bears no label of ours. */
  const find = async (place: Place): Promise<Secret | undefined> => {
    const secret = await absentAsUndefined(client.request<Secret>('GET', pathOf(place)));
    return secret?.metadata.labels?.[SECRET_LABEL] === 'true' ? secret : undefined;
  };

  const write = async (place: Place, data: Record<string, string>): Promise<void> => {
    const { namespace, name } = place;
    for (let tries = 1; ; tries++) {
      try {
        const there = await find(place);
        if (there) {
          // As a whole, so that no key of before is left; the uid and version keep it from being another's that came meanwhile.
          const { uid, resourceVersion } = there.metadata;
          const body = [
            { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
            { op: 'replace', path: '/metadata/uid', value: uid },
            { op: 'add', path: '/data', value: data },
          ];
          await client.request('PATCH', pathOf(place), { body, contentType: PATCH.json, query });
        } else {
          const metadata = { name, namespace, labels: { [SECRET_LABEL]: 'true', 'app.kubernetes.io/managed-by': 'tidemill' } };
          await client.request('POST', `/api/v1/namespaces/${namespace}/secrets`, {
            body: { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data },
            query,
          });
        }
        return;
      } catch (error) {
        if (!(error instanceof KubeError) || (error.status !== 409 && error.status !== 404)) throw error;
        if (error.details?.kind === 'namespaces') throw new Error(`Secret ${name}: there is no namespace ${namespace}; create it first`, { cause: error });
        if (tries >= TRIES) {
          const why =
            error.reason === 'AlreadyExists'
              ? `is there and lacks the label ${SECRET_LABEL}=true: it is not tidemill's to change`
              : 'is being changed by others all the time';
          throw new Error(`Secret ${namespace}/${name} ${why}`, { cause: error });
        }
      }
    }
  };

  return {
    async get(name, namespace) {
      const place = placeOf(name, namespace);
      const data = (await find(place))?.data;
      const value = data?.[SECRET_KEY];
      if (value !== undefined) return decode(value);
      if (!data || !place.ofTasks) throw new MissingSecret(name);
      return JSON.stringify(Object.fromEntries(Object.entries(data).map(([key, text]) => [key, decode(text)])));
    },

    async set(name, value, namespace) {
      if (Buffer.byteLength(value) > MAX_BYTES) throw new Error(`A secret has at most ${MAX_BYTES} bytes`);
      const place = placeOf(name, namespace);
      const values = (place.ofTasks && keysOf(value)) || { [SECRET_KEY]: value };
      await write(place, Object.fromEntries(Object.entries(values).map(([key, text]) => [key, Buffer.from(text).toString('base64')])));
    },

    async delete(name, namespace) {
      const place = placeOf(name, namespace);
      const there = await find(place);
      if (!there) return;
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: there.metadata.uid } };
      await absentAsUndefined(client.request('DELETE', pathOf(place), { body }));
    },
  };
}

/** run.<namespace>.<name> is what Tasks see as the Secret <name> of that namespace. Throws ZodError where it can be no name. */
function placeOf(name: string, namespace = 'default'): Place {
  const run = /^run\.([^.]+)\.(.+)$/.exec(name);
  const [inNamespace, named] = run ? [run[1]!, run[2]!] : [namespace, name];
  return { namespace: namespaceSchema.parse(inNamespace), name: nameSchema.parse(named), ofTasks: run !== null };
}

const pathOf = ({ namespace, name }: Place) => `/api/v1/namespaces/${namespace}/secrets/${name}`;

/** The keys of a value that is a JSON object of strings. */
function keysOf(value: string): Record<string, string> | undefined {
  try {
    const parsed = JSON.parse(value) as unknown;
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
    return Object.values(parsed).every((text) => typeof text === 'string') ? (parsed as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}

const decode = (base64: string) => Buffer.from(base64, 'base64').toString();

async function absentAsUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}
