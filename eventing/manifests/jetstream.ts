// JetStream needs no objects: the functions make their streams and consumers when they start. They are told where, and of how many copies.
import { type KubeObject, labelsOf } from '../../knative/generate/object.ts';
import { CONFIG, type Resolved } from '../../knative/generate/options.ts';

export function jetstreamObjects({ namespace, settings, size }: Resolved): Record<string, KubeObject[]> {
  const data = {
    TIDEMILL_BROKER: 'jetstream',
    TIDEMILL_NATS_URL: settings.TIDEMILL_NATS_URL,
    ...(settings.TIDEMILL_NATS_PREFIX && { TIDEMILL_NATS_PREFIX: settings.TIDEMILL_NATS_PREFIX }),
    // Copies of each stream: with three one server may be away.
    TIDEMILL_NATS_REPLICAS: size === 'production' ? '3' : '1',
  };
  return { settings: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG.events, namespace, labels: labelsOf() }, data }] };
}
