// tidemill uninstall: takes away what an install put there, and nothing else. What people made with tidemill stays unless all of it is to go.
import { customResources } from '../../knative/generate/crds.ts';
import { PATCH } from '../../shared/kubernetes/client/client.ts';
import type { Live, Resources } from './cluster/resources.ts';
import { isOurs, LABELS, MADE_BY } from './labels.ts';
import { removeAll } from './steps/apply.ts';
import { ownObjects } from './steps/survey.ts';
import { unsetTektonEvents } from './steps/tekton-events.ts';

export interface Removal {
  objects: Live[];
  /** The namespace, where an install made it. */
  namespace: Live | undefined;
  /** With their objects, which are all of every project: only with --all. */
  definitions: Live[];
  /** Other installations, which use the same definitions. */
  others: string[];
  /** How many objects of each kind there are, in all namespaces but one that goes itself. */
  kept: Record<string, number>;
  /** How many Pushes go with the namespace: they were told to the installation, and stand where it does. */
  pushes: number;
}

export async function planUninstall(resources: Resources, namespace: string, everything: boolean): Promise<Removal> {
  const [objects, there, definitions, namespaces] = await Promise.all([
    ownObjects(resources, namespace),
    resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }),
    Promise.all(customResources().map(async ({ apiVersion, kind, metadata }) => await resources.get({ apiVersion, kind, metadata }))),
    resources.list('v1', 'Namespace', { labelSelector: `${LABELS.partOf}=tidemill,${LABELS.installation}` }),
  ]);
  const known = definitions.filter((definition) => definition !== undefined);
  const own = there && isOurs(there) && there.metadata.annotations?.[MADE_BY] !== undefined ? there : undefined;
  const kept: Record<string, number> = {};
  let pushes = 0;
  for (const definition of known) {
    const { group, names, versions } = (definition as unknown as { spec: { group: string; names: { kind: string }; versions: { name: string }[] } }).spec;
    const all = await resources.list(`${group}/${versions[0]!.name}`, names.kind);
    const left = own ? all.filter((object) => object.metadata.namespace !== namespace) : all;
    if (left.length > 0) kept[names.kind] = left.length;
    if (names.kind === 'Push') pushes = all.length - left.length;
  }
  return {
    objects,
    namespace: own,
    definitions: everything ? known : [],
    others: namespaces.map(({ metadata }) => metadata.labels![LABELS.installation]!).filter((name) => name !== namespace),
    kept,
    pushes,
  };
}

/** Returns what is still there when the time is over. */
export async function runUninstall(
  resources: Resources,
  namespace: string,
  removal: Removal,
  timeout_ms: number,
  tell: (step: string) => void,
): Promise<Live[]> {
  if (await unsetTektonEvents(resources, namespace)) tell("Tekton's events no longer go to the Broker");
  tell(`removing ${removal.objects.length} objects`);
  const left = await removeAll(resources, removal.objects, timeout_ms);
  if (removal.definitions.length > 0) {
    tell(`removing ${removal.definitions.length} definitions with their objects`);
    left.push(...(await removeAll(resources, removal.definitions, timeout_ms)));
  }
  if (removal.namespace) {
    tell(`removing the namespace ${namespace}`);
    left.push(...(await removeAll(resources, [removal.namespace], timeout_ms)));
  } else await disown(resources, namespace);
  return left;
}

/** A namespace that was there before stays, and is nobody's again; how strict it is stays as well. */
async function disown(resources: Resources, namespace: string): Promise<void> {
  const there = await resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  if (!there || !isOurs(there)) return;
  const labels = Object.fromEntries(Object.values(LABELS).map((label) => [label, null]));
  await resources.client.request('PATCH', `/api/v1/namespaces/${namespace}`, { body: { metadata: { labels } }, contentType: PATCH.merge });
}
