// Where Tekton sends its own CloudEvents: one address for the whole cluster. They only make tidemill faster, so it is set where it is unset, and never taken from another.
import { PATCH } from '../../../shared/kubernetes/client/client.ts';
import { findTekton } from '../checks/cluster.ts';
import { FIELD_MANAGER, type Live, type Resources } from '../cluster/resources.ts';
import { type Finding, note, ok } from '../finding.ts';
import { LABELS } from '../labels.ts';

const CONFIG = 'config-events';
const FORMATS = 'tektonv1';

export interface TektonEvents {
  /** Of Tekton. */
  namespace: string;
  map: Live;
  sink: string | undefined;
  formats: string | undefined;
  /** Which installation set it. */
  setBy: string | undefined;
}

/** We set the formats as well, so they go with the sink. */
const FORMATS_TOO = 'tidemill.dev/set-formats';

export async function readTektonEvents(resources: Resources): Promise<TektonEvents | undefined> {
  const tekton = await findTekton(resources);
  const map = tekton && (await resources.get({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG, namespace: tekton.namespace } }));
  if (!map) return undefined;
  const data = (map['data'] ?? {}) as Record<string, string>;
  return {
    namespace: tekton.namespace,
    map,
    sink: data['sink'] || undefined,
    formats: data['formats'] || undefined,
    setBy: map.metadata.annotations?.[LABELS.installation],
  };
}

/** Sets the sink to our broker where it is unset, or of this installation. */
export async function setTektonEvents(resources: Resources, installation: string, sink: string): Promise<Finding> {
  const events = await readTektonEvents(resources);
  if (!events) return note('Tekton events', `the ConfigMap ${CONFIG} was not found; the watcher sees the ends of TaskRuns by itself`);
  if (events.sink === sink) return ok('Tekton events', `go to ${sink}`);
  if (events.sink !== undefined && events.setBy !== installation)
    return note('Tekton events', `go to ${events.sink}, and stay there; the watcher sees the ends of TaskRuns by itself`);
  const own = events.formats === undefined;
  await change(resources, events, { sink, ...(own && { formats: FORMATS }) }, { [LABELS.installation]: installation, ...(own && { [FORMATS_TOO]: 'true' }) });
  return ok('Tekton events', `go to ${sink} from now on`);
}

/** Takes our own sink out again. False: it is not ours. */
export async function unsetTektonEvents(resources: Resources, installation: string): Promise<boolean> {
  const events = await readTektonEvents(resources);
  if (!events || events.setBy !== installation) return false;
  const own = events.map.metadata.annotations?.[FORMATS_TOO] === 'true';
  await change(resources, events, { sink: null, ...(own && { formats: null }) }, { [LABELS.installation]: null, [FORMATS_TOO]: null });
  return true;
}

/** Null: goes. */
type Merge = Record<string, string | null>;

/** By a merge with the version that was read, so that nothing is written over what somebody sets meanwhile. */
async function change(resources: Resources, { namespace, map }: TektonEvents, data: Merge, annotations: Merge): Promise<void> {
  const { resourceVersion } = map.metadata;
  await resources.client.request('PATCH', `/api/v1/namespaces/${namespace}/configmaps/${CONFIG}`, {
    body: { metadata: { resourceVersion, annotations }, data },
    contentType: PATCH.merge,
    query: { fieldManager: FIELD_MANAGER },
  });
}
