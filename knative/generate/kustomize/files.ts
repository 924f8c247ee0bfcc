// The kustomize folders as text: a base, an overlay for each way that events travel, and of each one for production.
import { stringify } from 'yaml';
import { type Parts, parts } from '../manifests.ts';
import type { KubeObject } from '../object.ts';
import { OVERLAYS, type Overlay, SYSTEM_NAMESPACE } from '../options.ts';
import { projectRoles } from '../access/roles.ts';
import { patchesBetween } from './patches.ts';

const HEAD = '# Made from functions/graph.ts by `npm run generate`: do not edit. knative/README.md says how to change it.\n';

/** kubectl reads YAML 1.1, where a bare y or on is true: that version's rules say what has to be quoted. */
const yaml = (value: unknown) => stringify(value, { version: '1.1', lineWidth: 0, singleQuote: true, aliasDuplicateObjects: false });
const documents = (objects: readonly KubeObject[]) => HEAD + objects.map(yaml).join('---\n');

type Files = Record<string, string>;

function kustomization(fields: object): string {
  return HEAD + yaml({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', ...fields });
}

/** A folder of files of objects, with the kustomization that names them, after what else it takes. */
function folder(path: string, files: Record<string, readonly KubeObject[]>, before: readonly string[] = []): Files {
  const filled = Object.entries(files).filter(([, objects]) => objects.length > 0);
  return {
    [`${path}/kustomization.yaml`]: kustomization({ resources: [...before, ...filled.map(([name]) => `${name}.yaml`)] }),
    ...Object.fromEntries(filled.map(([name, objects]) => [`${path}/${name}.yaml`, documents(objects)])),
  };
}

function base({ namespace, accounts, roles, settings }: Parts): Files {
  return folder('knative/base', { namespace, accounts, roles, settings }, ['../crds']);
}

function overlay(name: Overlay, { workloads, eventing, network }: Parts): Files {
  const at = `knative/overlays/${name}`;
  const of = (kind: string) => Object.fromEntries(workloads.flatMap(({ workload, objects }) => (workload.kind === kind ? [[workload.name, objects]] : [])));
  return {
    ...folder(`eventing/${name}`, eventing),
    ...folder(`${at}/functions`, of('function')),
    ...folder(`${at}/edges`, of('edge')),
    [`${at}/network.yaml`]: documents(network),
    // In this order: whoever publishes finds its sink bound, and whoever is an edge finds its functions.
    [`${at}/kustomization.yaml`]: kustomization({
      resources: ['../../base', `../../../eventing/${name}`, 'network.yaml', 'functions', 'edges'],
      sortOptions: { order: 'fifo' },
    }),
  };
}

const objectsOf = ({ settings, eventing, workloads, production }: Parts) => [
  ...settings,
  ...Object.values(eventing).flat(),
  ...workloads.flatMap(({ objects }) => objects),
  ...production,
];

function production(name: Overlay, small: Parts): Files {
  const at = `knative/overlays/${name}-production`;
  const { patches, added } = patchesBetween(objectsOf(small), objectsOf(parts({ overlay: name, size: 'production' })));
  return {
    [`${at}/kustomization.yaml`]: kustomization({
      resources: [`../${name}`, 'added.yaml'],
      patches: patches.map(({ target, operations }) => ({ target, patch: yaml(operations) })),
      sortOptions: { order: 'fifo' },
    }),
    [`${at}/added.yaml`]: documents(added),
  };
}

/** Every file of knative/ and eventing/ that kustomize reads, but the custom resource definitions: path from the project's root → text. */
export function kustomizeFiles(): Files {
  const overlays = OVERLAYS.map((name) => ({ name, small: parts({ overlay: name }) }));
  return Object.assign(
    base(overlays[0]!.small),
    ...overlays.map(({ name, small }) => ({ ...overlay(name, small), ...production(name, small) })),
    folder('knative/project-namespace', { namespace: projectRoles(undefined, SYSTEM_NAMESPACE) }),
  ) as Files;
}
