// The CustomResourceDefinitions of tidemill's kinds, made from their schemas: for `tidemill install`, and as files for kustomize.
import { stringify } from 'yaml';
import { isRecord, kinds } from '../../shared/objects/kinds.ts';
import { API_VERSION } from '../../shared/objects/meta.ts';
import { about, type Column, ownKinds, type OwnKind, pluralOf } from './crds/kinds.ts';
import { objectsPage } from './crds/page.ts';
import { rules } from './crds/rules.ts';
import type { Rule } from './crds/refinements.ts';
import { type Structural, structural } from './crds/structural.ts';
import { labelsOf } from './object.ts';

const [GROUP, VERSION] = API_VERSION.split('/') as [string, string];

/** A CustomResourceDefinition (apiextensions.k8s.io/v1), as far as it is set here. */
export interface CustomResource {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string; labels: Record<string, string> };
  spec: {
    group: string;
    scope: 'Namespaced';
    names: { kind: string; listKind: string; plural: string; singular: string; shortNames?: string[]; categories: string[] };
    versions: {
      name: string;
      served: true;
      storage: true;
      schema: { openAPIV3Schema: Structural };
      subresources?: { status: object };
      selectableFields?: { jsonPath: string }[];
      additionalPrinterColumns: Column[];
    }[];
  };
}

/** One for each kind of tidemill's own, in the order of shared/objects/kinds.ts. Throws on a schema that Kubernetes cannot have. */
export function customResources(): CustomResource[] {
  return ownKinds.map(customResource);
}

function customResource(kind: OwnKind): CustomResource {
  const { shortNames, selectable, columns } = about[kind];
  const plural = pluralOf(kind);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}`, labels: labelsOf() },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), ...(shortNames && { shortNames }), categories: ['tidemill'] },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schemaOf(kind) },
          ...(!isRecord(kind) && { subresources: { status: {} } }),
          ...(selectable.length > 0 && { selectableFields: selectable.map((jsonPath) => ({ jsonPath })) }),
          additionalPrinterColumns: columns,
        },
      ],
    },
  };
}

const MORE = 'https://kubernetes.io/docs/reference/using-api/api-concepts/';

/** Structural schema of a whole object of the kind. */
export function schemaOf(kind: OwnKind): Structural {
  const { root = [], spec = [], status = [] } = rules[kind] ?? {};
  const schema: Structural = {
    type: 'object',
    description: about[kind].description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: `Version of this schema: ${API_VERSION}. See ${MORE}` },
      kind: { type: 'string', description: `Kind of the object: ${kind}. See ${MORE}` },
      metadata: { type: 'object' },
      spec: withRules(structural(kinds[kind].spec, `${kind}.spec`), spec),
      status: withRules(structural(kinds[kind].status, `${kind}.status`), status),
    },
  };
  return withRules(schema, root);
}

function withRules(schema: Structural, added: Rule[]): Structural {
  const all = [...(schema['x-kubernetes-validations'] ?? []), ...added];
  return all.length > 0 ? { ...schema, 'x-kubernetes-validations': all } : schema;
}

const HEAD = '# Made from shared/objects by `npm run generate`: edit the schemas there.\n';

/** Generated files, with paths from the root of the project: knative/crds (one a kind, and the kustomization that names them), and docs/objects.md. */
export function crdFiles(): { path: string; content: string }[] {
  // kubectl reads YAML 1.1, where a bare y or on is true: that version's rules say what has to be quoted.
  const yaml = (value: object) => HEAD + stringify(value, { version: '1.1', singleQuote: true, lineWidth: 0, aliasDuplicateObjects: false });
  const resources = customResources();
  const files = resources.map((resource) => ({ name: `${resource.spec.names.plural}.yaml`, content: yaml(resource) }));
  const kustomization = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: files.map(({ name }) => name).sort() };
  return [
    ...[...files, { name: 'kustomization.yaml', content: yaml(kustomization) }].map(({ name, content }) => ({ path: `knative/crds/${name}`, content })),
    { path: 'docs/objects.md', content: objectsPage(resources) },
  ];
}
