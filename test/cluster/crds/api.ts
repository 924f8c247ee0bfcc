// The API server as these suites use it: objects of tidemill's kinds in a namespace of the suite's own, and kubectl.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type OwnKind, pluralOf } from '../../../knative/generate/crds/kinds.ts';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type Query } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import { isRecord } from '../../../shared/objects/kinds.ts';
import { API_VERSION } from '../../../shared/objects/meta.ts';
import { fromEnv } from '../env.ts';

const run = promisify(execFile);
const STRICT = { fieldValidation: 'Strict' };
const DRY = { dryRun: 'All' };
const MAX_TRIES = 20;

/** As it is sent: what is in it is the test's business. */
export interface Raw {
  name: string;
  spec?: unknown;
  status?: unknown;
  extra?: Record<string, unknown>;
}

/** Undefined: taken. Else the message of the refusal. Throws on any answer that is no verdict on the object. */
export type Verdict = string | undefined;

export function connect(namespace: string) {
  // Named when it is missing.
  const kubeconfig = fromEnv('KUBECONFIG');
  const client = createKubeClient({ connect: anywhere() });
  const at = (kind: OwnKind, ...rest: string[]) => ['/apis', API_VERSION, 'namespaces', namespace, pluralOf(kind), ...rest].join('/');
  const body = (kind: OwnKind, { name, spec, status, extra }: Raw, resourceVersion?: string) => ({
    apiVersion: API_VERSION,
    kind,
    metadata: { name, namespace, ...(resourceVersion && { resourceVersion }) },
    ...(spec !== undefined && { spec }),
    ...(status !== undefined && { status }),
    ...extra,
  });
  const post = (kind: OwnKind, object: Raw, query: Query) => client.request('POST', at(kind), { body: body(kind, object), query: { ...STRICT, ...query } });

  /** Written over what there is, whoever changed it meanwhile: on this cluster a watcher may label what it sees. */
  const put = async (kind: OwnKind, object: Raw, query: Query, ...subresource: string[]): Promise<void> => {
    for (let tries = 1; ; tries++) {
      const { metadata, spec, status } = await client.request<{ metadata: { resourceVersion: string }; spec: unknown; status?: unknown }>(
        'GET',
        at(kind, object.name),
      );
      const whole = body(kind, { spec, status, ...object }, metadata.resourceVersion);
      try {
        await client.request('PUT', at(kind, object.name, ...subresource), { body: whole, query: { ...STRICT, ...query } });
        return;
      } catch (error) {
        if (!(error instanceof KubeError) || error.status !== 409 || tries === MAX_TRIES) throw error;
      }
    }
  };
  /** Makes the object, with its status. */
  const make = async (kind: OwnKind, { status, ...object }: Raw): Promise<void> => {
    await post(kind, isRecord(kind) ? { ...object, status } : object, {});
    if (status !== undefined && !isRecord(kind)) await put(kind, { name: object.name, status }, {}, 'status');
  };
  const remove = (kind: OwnKind, name: string): Promise<unknown> => client.request('DELETE', at(kind, name));

  return {
    make,
    remove,
    /** Does the work while there is such an object. */
    async holding(kind: OwnKind, object: Raw, work: () => Promise<void>): Promise<void> {
      await make(kind, object);
      try {
        await work();
      } finally {
        await remove(kind, object.name);
      }
    },
    /** Would it be made? */
    tryMake: (kind: OwnKind, object: Raw): Promise<Verdict> => verdict(post(kind, object, DRY)),
    /** Would this spec replace the one there is? */
    trySpec: (kind: OwnKind, object: Raw): Promise<Verdict> => verdict(put(kind, object, DRY)),
    /** Would this status replace the one there is? Undefined takes it away. */
    tryStatus: (kind: OwnKind, { name, status }: Raw): Promise<Verdict> => verdict(put(kind, { name, status }, DRY, ...(isRecord(kind) ? [] : ['status']))),
    open: () => client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } }),
    async close(): Promise<void> {
      await client.request('DELETE', `/api/v1/namespaces/${namespace}`);
      client.close();
    },
    /** What kubectl prints. Throws, with what it said, when it ends with an error. */
    async kubectl(...args: string[]): Promise<string> {
      return (await run('kubectl', ['--kubeconfig', kubeconfig, '--namespace', namespace, ...args], { maxBuffer: 32 * 1024 * 1024 })).stdout;
    },
  };
}

async function verdict(answer: Promise<unknown>): Promise<Verdict> {
  try {
    await answer;
    return undefined;
  } catch (error) {
    if (!(error instanceof KubeError) || (error.status !== 422 && error.status !== 400)) throw error;
    return error.message;
  }
}
