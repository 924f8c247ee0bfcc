// How an installation knows its own objects again, and leaves everybody else's alone.
import type { KubeObject } from '../../knative/generate/object.ts';
import { INSTALLATION } from '../../shared/objects/project-namespace.ts';

export const LABELS = {
  partOf: 'app.kubernetes.io/part-of',
  managedBy: 'app.kubernetes.io/managed-by',
  /** The namespace of the installation: there can be several in a cluster. */
  installation: INSTALLATION,
} as const;

/** On the ConfigMap tidemill-config: what was installed, as JSON. */
export const INSTALLED = 'tidemill.dev/installed';
/** On a namespace that an install made, and may therefore take away. */
export const MADE_BY = 'tidemill.dev/made-by';
/** On the custom resource definitions, which are the whole cluster's. */
export const CRD_VERSION = 'tidemill.dev/version';

export const selectorOf = (namespace: string): string => `${LABELS.partOf}=tidemill,${LABELS.installation}=${namespace}`;

/** The object with the labels of its installation; what its pods carry stays as it is. */
export function stamped(object: KubeObject, installation: string): KubeObject {
  const labels = { ...object.metadata.labels, [LABELS.managedBy]: 'tidemill', [LABELS.installation]: installation };
  return { ...object, metadata: { ...object.metadata, labels } };
}

export const isOurs = ({ metadata: { labels } }: { metadata: { labels?: Record<string, string> } }): boolean => labels?.[LABELS.partOf] === 'tidemill';
export const installationOf = ({ metadata: { labels } }: { metadata: { labels?: Record<string, string> } }): string | undefined =>
  labels?.[LABELS.installation];
