// Applies what is wanted, stage by stage, and takes away what an earlier version left.
import type { KubeObject } from '../../../knative/generate/object.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import { CliError, EXIT } from '../../exit.ts';
import { keyOf, type Live, type Resources, titleOf } from '../cluster/resources.ts';
import { differences } from './changes.ts';
import { each } from './survey.ts';

export interface Applied {
  created: number;
  changed: number;
  same: number;
}

/** `before`: as they were. Throws CliError that names the object which was refused. */
export async function applyAll(resources: Resources, objects: readonly KubeObject[], before: ReadonlyMap<string, Live>): Promise<Applied> {
  const applied: Applied = { created: 0, changed: 0, same: 0 };
  await each(objects, async (object) => {
    const after = await applyOne(resources, object);
    const old = before.get(keyOf(object));
    // Not by resourceVersion: a controller may have written its status since.
    applied[!old ? 'created' : differences(old, after, object.kind === 'Secret').length > 0 ? 'changed' : 'same'] += 1;
  });
  return applied;
}

const TRIES = 20;
const PAUSE_MS = 500;

/** Just after a definition or a webhook came to be, the server may not know it everywhere. */
async function applyOne(resources: Resources, object: KubeObject): Promise<Live> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await resources.apply(object);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      const passes =
        error.status === 404 || error.status === 503 || error.status === 504 || (error.status === 500 && /failed calling webhook/.test(error.message));
      if (!passes || attempt >= TRIES) throw new CliError(EXIT.refused, `${titleOf(object)} was refused: ${error.message}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** What makes others goes first, so that nothing is made anew meanwhile. */
const LAST = ['RoleBinding', 'ClusterRoleBinding', 'Role', 'ClusterRole', 'ServiceAccount', 'Secret', 'ConfigMap'];

/** Removes them and waits until they are gone. Returns those that are still there when the time is over. */
export async function removeAll(resources: Resources, objects: readonly Live[], timeout_ms: number): Promise<Live[]> {
  const early = objects.filter(({ kind }) => !LAST.includes(kind));
  const late = objects.filter(({ kind }) => LAST.includes(kind));
  const until = Date.now() + timeout_ms;
  const left: Live[] = [];
  for (const batch of [early, late]) {
    await each(batch, async (object) => {
      await resources.remove(object, { uid: object.metadata.uid }).catch((error: unknown) => {
        // Made anew by somebody in between: it is not the one that was meant.
        if (!(error instanceof KubeError) || error.status !== 409) throw error;
      });
    });
    left.push(...(await waitGone(resources, batch, until)));
  }
  return left;
}

/** A namespace that goes, with nothing left in it: its name is free in a moment, which on a busy cluster is minutes. */
async function isEmptied(resources: Resources, { kind, metadata, status }: Live): Promise<boolean> {
  if (kind !== 'Namespace' || !metadata.deletionTimestamp) return false;
  const is = (type: string) => status?.conditions?.find((condition) => condition.type === type)?.status;
  if (is('NamespaceContentRemaining') !== 'False' || is('NamespaceFinalizersRemaining') !== 'False') return false;
  return (await resources.list('v1', 'Pod', { namespace: metadata.name })).length === 0;
}

async function waitGone(resources: Resources, objects: readonly Live[], until: number): Promise<Live[]> {
  let there = [...objects];
  for (;;) {
    const still: Live[] = [];
    await each(there, async (object) => {
      const found = await resources.get(object);
      if (found?.metadata.uid === object.metadata.uid && !(await isEmptied(resources, found))) still.push(object);
    });
    there = still;
    if (there.length === 0 || Date.now() > until) return there;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
