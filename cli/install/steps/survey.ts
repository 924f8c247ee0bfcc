// What there is already of what is wanted, what is somebody else's, and what an earlier version left behind.
import type { KubeObject } from '../../../knative/generate/object.ts';
import { keyOf, type Live, type Resources, titleOf } from '../cluster/resources.ts';
import { type Finding, wrong } from '../finding.ts';
import { installationOf, isOurs, selectorOf } from '../labels.ts';
import { everyKind } from '../desired.ts';

export interface Survey {
  /** By keyOf. */
  live: Map<string, Live>;
  /** Ours, and no longer wanted. */
  stale: Live[];
  foreign: Finding[];
}

const AT_ONCE = 8;

export async function survey(resources: Resources, namespace: string, wanted: readonly KubeObject[]): Promise<Survey> {
  const live = new Map<string, Live>();
  await each(wanted, async (object) => {
    const found = await resources.get(object);
    if (found) live.set(keyOf(object), found);
  });
  const names = new Set(wanted.map(keyOf));
  const stale = (await ownObjects(resources, namespace)).filter((object) => !names.has(keyOf(object)));
  return { live, stale, foreign: [...live.values()].flatMap((object) => foreignness(object, namespace)) };
}

/** Everything with the label of this installation. What a controller made of it goes with it, and is not told. */
export async function ownObjects(resources: Resources, namespace: string): Promise<Live[]> {
  const lists = await Promise.all(everyKind().map(({ apiVersion, kind }) => resources.list(apiVersion, kind, { labelSelector: selectorOf(namespace) })));
  return lists.flat().filter(({ metadata }) => !metadata.ownerReferences?.some(({ controller }) => controller === true));
}

function foreignness(object: Live, namespace: string): Finding[] {
  if (object.kind === 'Namespace' || object.kind === 'CustomResourceDefinition') return [];
  const title = titleOf(object);
  const other = installationOf(object);
  if (other !== undefined && other !== namespace)
    return [
      wrong(
        'Other installations',
        `${title} is of the installation in ${other}`,
        `A namespace can be served by one: choose another --project-namespace, or tidemill uninstall --namespace ${other}`,
      ),
    ];
  if (isOurs(object)) return [];
  return [
    wrong(
      'Other objects',
      `${title} is there and is not tidemill's`,
      `Choose a namespace of tidemill's own (--namespace), or take it away: kubectl delete ${object.kind.toLowerCase()} ${object.metadata.name}${object.metadata.namespace ? ` --namespace ${object.metadata.namespace}` : ''}`,
    ),
  ];
}

/** A few at a time. The first failure ends it. */
export async function each<T>(items: readonly T[], work: (item: T) => Promise<void>, atOnce = AT_ONCE): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) await work(items[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}
