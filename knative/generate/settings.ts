// The ConfigMaps that every function reads its settings from. Secrets are never in them.
import { createHash } from 'node:crypto';
import { type KubeObject, labelsOf } from './object.ts';
import { CONFIG, type Resolved } from './options.ts';

/** What all overlays need. */
export function configMap({ namespace, image, settings }: Resolved): KubeObject {
  const { TIDEMILL_NATS_URL: _url, TIDEMILL_NATS_PREFIX: _prefix, ...all } = settings;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: CONFIG.all, namespace, labels: labelsOf() },
    // Of the namespace it is told once: Knative lets no pod ask for its own.
    data: { ...all, POD_NAMESPACE: namespace, TIDEMILL_IMAGE: image },
  };
}

/** Pods are made anew when what they are told has changed, in whichever order it was told. */
export function configAnnotations(maps: readonly KubeObject[]): Record<string, string> {
  const hash = createHash('sha256').update(
    JSON.stringify(maps.map(({ data }) => Object.entries(data as Record<string, string>).toSorted(([a], [b]) => (a < b ? -1 : 1)))),
  );
  return { 'tidemill.dev/settings': hash.digest('hex').slice(0, 16) };
}
