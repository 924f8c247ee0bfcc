// What tidemill stands on: Kubernetes, Tekton Pipelines and, where events travel by Knative, its Eventing and Serving.
import type { Overlay } from '../../../knative/generate/options.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import type { Live, Resources } from '../cluster/resources.ts';
import { type Finding, note, ok, wrong } from '../finding.ts';
import { isOlder, versionOf, versionText } from './versions.ts';

/** selectableFields of custom resources, and matchLabelKeys of topology constraints. */
const KUBERNETES = [1, 31] as const;
/** tekton.dev/v1 with StepActions in it. */
const TEKTON = [1, 0] as const;
/** Trigger filters. */
const KNATIVE = [1, 15] as const;

const RELEASES = {
  tekton: 'kubectl apply --filename https://storage.googleapis.com/tekton-releases/pipeline/latest/release.yaml',
  eventing: 'https://knative.dev/docs/install/yaml-install/eventing/install-eventing-with-yaml/',
  serving: 'https://knative.dev/docs/install/yaml-install/serving/install-serving-with-yaml/',
};
const WITHOUT = 'or leave Knative out: tidemill install --overlay jetstream';

export async function checkKubernetes({ client }: Resources, server: string): Promise<Finding[]> {
  try {
    const { gitVersion } = await client.request<{ gitVersion: string }>('GET', '/version');
    const version = versionOf(gitVersion);
    if (version && isOlder(version, KUBERNETES))
      return [wrong('Kubernetes', `${gitVersion} at ${server} is too old`, `tidemill needs ${versionText(KUBERNETES)} or later: upgrade the cluster`)];
    return [ok('Kubernetes', `${gitVersion} at ${server}`)];
  } catch (error) {
    const refused = error instanceof KubeError && (error.status === 401 || error.status === 403);
    const todo = refused ? 'Sign in, or choose another context: kubectl config get-contexts' : `See that ${server} can be reached from here: kubectl version`;
    return [wrong('Kubernetes', (error as Error).message, todo)];
  }
}

/** Namespace of Tekton's controller, which is not the same everywhere. Undefined: there is none. */
export async function findTekton(resources: Resources): Promise<{ namespace: string; controller: Live } | undefined> {
  const labelSelector = 'app.kubernetes.io/part-of=tekton-pipelines,app.kubernetes.io/component=controller';
  const found = await resources.list('apps/v1', 'Deployment', { labelSelector });
  const controller = found.find(({ metadata }) => metadata.name.includes('pipelines-controller')) ?? found[0];
  return controller && { namespace: controller.metadata.namespace!, controller };
}

export async function checkTekton(resources: Resources): Promise<Finding[]> {
  if (!(await resources.serves('tekton.dev/v1', 'TaskRun'))) return [wrong('Tekton Pipelines', 'is not installed', RELEASES.tekton)];
  const tekton = await findTekton(resources);
  if (!tekton) return [note('Tekton Pipelines', 'is there, and its controller was not found: whether it runs cannot be said')];
  const info = await resources.get({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'pipelines-info', namespace: tekton.namespace } });
  const text =
    (info?.['data'] as Record<string, string> | undefined)?.['version'] ?? tekton.controller.metadata.labels?.['app.kubernetes.io/version'] ?? 'unknown';
  const version = versionOf(text);
  if (version && isOlder(version, TEKTON))
    return [wrong('Tekton Pipelines', `${text} is too old: ${versionText(TEKTON)} is the first that will do`, RELEASES.tekton)];
  if (!isAvailable(tekton.controller))
    return [
      wrong(
        'Tekton Pipelines',
        `${text}: its controller does not run`,
        `kubectl --namespace ${tekton.namespace} describe deployment ${tekton.controller.metadata.name}`,
      ),
    ];
  return [ok('Tekton Pipelines', `${text} in ${tekton.namespace}`)];
}

const isAvailable = ({ status }: Live) => Number(status?.['availableReplicas'] ?? 0) > 0;

export async function checkKnative(resources: Resources, overlay: Overlay): Promise<Finding[]> {
  if (overlay !== 'knative') return [];
  return [
    await checkPart(resources, {
      check: 'Knative Eventing',
      kinds: [['eventing.knative.dev/v1', 'Broker'], ['eventing.knative.dev/v1', 'Trigger'], ['sources.knative.dev/v1', 'SinkBinding'], ['sources.knative.dev/v1', 'PingSource']],
      namespace: 'knative-eventing',
      deployments: ['eventing-controller', 'eventing-webhook'],
      get: `${RELEASES.eventing}\nwith a channel and a Broker (in-memory-channel.yaml, mt-channel-broker.yaml); ${WITHOUT}`,
    }),
    await checkPart(resources, {
      check: 'Knative Serving',
      kinds: [['serving.knative.dev/v1', 'Service']],
      namespace: 'knative-serving',
      deployments: ['activator', 'controller', 'webhook'],
      get: `${RELEASES.serving}\nwith a networking layer (Kourier is the smallest); ${WITHOUT}`,
    }),
  ]; // prettier-ignore
}

interface Part {
  check: string;
  kinds: [string, string][];
  namespace: string;
  deployments: string[];
  get: string;
}

async function checkPart(resources: Resources, { check, kinds, namespace, deployments, get }: Part): Promise<Finding> {
  for (const [apiVersion, kind] of kinds) if (!(await resources.serves(apiVersion, kind))) return wrong(check, `is not installed (no kind ${kind})`, get);
  const there = await resources.list('apps/v1', 'Deployment', { namespace });
  const own = there.filter(({ metadata }) => deployments.includes(metadata.name));
  // An operator may have put them elsewhere.
  if (own.length === 0) return note(check, `its kinds are there, and nothing of it runs in ${namespace}: whether it works will be seen`);
  const text = own[0]!.metadata.labels?.['app.kubernetes.io/version'] ?? 'unknown';
  const version = versionOf(text);
  if (version && isOlder(version, KNATIVE)) return wrong(check, `${text} is too old: ${versionText(KNATIVE)} is the first that will do`, get);
  const down = own.filter((deployment) => !isAvailable(deployment)).map(({ metadata }) => metadata.name);
  if (down.length > 0) return wrong(check, `${text}: ${down.join(', ')} does not run`, `kubectl --namespace ${namespace} get pods`);
  return ok(check, text === 'unknown' ? 'runs' : text);
}
