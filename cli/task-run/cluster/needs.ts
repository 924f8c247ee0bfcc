// What a run refers to, out of its file into a namespace: made where it is not there, used where it is there in the same words, and taken away again.
import { isDeepStrictEqual } from 'node:util';
import { type KubeClient, PATCH } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import type { OwnerReference } from '../../../shared/objects/kinds.ts';
import { type Chosen, withValues } from '../../../shared/runner/file/choose.ts';
import { InvalidFile, type Manifest } from '../../../shared/runner/file/documents.ts';
import { refusal } from '../../../shared/tekton/taskrun/refused.ts';
import { InvalidTaskRun } from '../../../shared/ports/runner.ts';
import { placed } from './place.ts';

interface Made {
  path: string;
  uid: string;
}

export interface Needs {
  /** From now on they go with this object, should we not live to take them away. */
  own(owner: OwnerReference): Promise<void>;
  /** What could not be taken away is said. */
  remove(): Promise<string[]>;
}

const PLURALS: Record<string, string> = {
  Task: 'tasks',
  StepAction: 'stepactions',
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  PersistentVolumeClaim: 'persistentvolumeclaims',
};

/** Makes all of them, or none. Throws InvalidFile, KubeError. */
export async function makeNeeds(client: KubeClient, namespace: string, manifests: readonly Manifest[], { task }: Chosen): Promise<Needs> {
  const made: Made[] = [];
  const needs: Needs = {
    own: async (owner) => {
      for (const { path } of made) await client.request('PATCH', path, { body: { metadata: { ownerReferences: [owner] } }, contentType: PATCH.merge });
    },
    remove: async () => (await Promise.all(made.map(({ path, uid }) => removed(client, path, uid)))).filter((problem) => problem !== undefined),
  };
  try {
    for (const manifest of manifests) {
      const isNeeded = manifest.kind === 'Task' ? manifest === task.manifest && task.name !== '' : Object.hasOwn(PLURALS, manifest.kind);
      if (!isNeeded) continue;
      const one = await make(client, namespace, manifest, contentOf(manifest, task));
      if (one) made.push(one);
    }
    return needs;
  } catch (error) {
    await needs.remove();
    throw error;
  }
}

/** Removes the object of this path, when it is still the one that we made. Undefined: done; else what was the matter. */
export async function removed(client: KubeClient, path: string, uid: string): Promise<string | undefined> {
  try {
    await client.request('DELETE', path, { body: { preconditions: { uid }, propagationPolicy: 'Background' } });
    return undefined;
  } catch (error) {
    if (error instanceof KubeError && (error.status === 404 || error.status === 409)) return undefined;
    return (error as Error).message;
  }
}

interface Content {
  metadata: { name: string; labels?: unknown; annotations?: unknown };
  [field: string]: unknown;
}

function contentOf(manifest: Manifest, task: Chosen['task']): Content {
  const { apiVersion, kind, name, content } = manifest;
  const { labels, annotations } = (content['metadata'] ?? {}) as { labels?: unknown; annotations?: unknown };
  const { metadata: _metadata, status: _status, ...rest } = content;
  const spec = kind === 'Task' ? task.content : kind === 'StepAction' ? normalized(content['spec']) : content['spec'];
  return {
    ...rest,
    apiVersion,
    kind,
    metadata: { name, ...(labels !== undefined && { labels }), ...(annotations !== undefined && { annotations }) },
    ...(spec !== undefined && { spec }),
  };
}

function normalized(spec: unknown): unknown {
  return typeof spec === 'object' && spec !== null ? { ...spec, ...withValues(spec as Record<string, unknown>, 'params', 'default') } : spec;
}

async function make(client: KubeClient, namespace: string, manifest: Manifest, content: Content): Promise<Made | undefined> {
  const { apiVersion, kind, name } = manifest;
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const path = `${group}/namespaces/${encodeURIComponent(namespace)}/${PLURALS[kind]}`;
  const one = `${path}/${encodeURIComponent(name)}`;
  try {
    const { metadata } = await client.request<{ metadata: { uid: string } }>('POST', path, { body: content, query: { fieldValidation: 'Strict' } });
    return { path: one, uid: metadata.uid };
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === 'AlreadyExists')) {
      const refused = refusal(error);
      throw refused instanceof InvalidTaskRun ? placed(manifest, 'spec', ['spec'], refused) : error;
    }
  }
  if (kind === 'PersistentVolumeClaim' || (await isSame(client, one, content))) return undefined;
  throw new InvalidFile(
    `${manifest.place(['metadata', 'name'])}: ${kind} "${name}" is in namespace ${namespace} already, and says something else: give it another name, or choose another namespace with --namespace`,
  );
}

interface Stored {
  metadata: { resourceVersion: string };
  spec?: unknown;
  data?: unknown;
  binaryData?: unknown;
}

/** Whether what is there would not change if ours were put in its place. */
async function isSame(client: KubeClient, path: string, content: Content): Promise<boolean> {
  const there = await client.request<Stored>('GET', path);
  const { resourceVersion } = there.metadata;
  const body = { ...content, metadata: { ...content.metadata, resourceVersion } };
  const then = await client.request<Stored>('PUT', path, { body, query: { dryRun: 'All' } });
  const said = ({ spec, data, binaryData }: Stored) => ({ spec, data, binaryData });
  return isDeepStrictEqual(said(there), said(then));
}
