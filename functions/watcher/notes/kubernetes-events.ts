// Notes as Kubernetes has them: events.k8s.io/v1, which `kubectl describe` and `kubectl events` show beside the object.
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import type { NoteSink } from './recorder.ts';

const CONTROLLER = 'tidemill.dev/watcher';
/** The API server takes no more. */
const MAX_NOTE = 1024;
const MAX_INSTANCE = 128;

/** `instance`: which watcher says it, such as the pod's name. */
export function kubernetesEvents(client: Pick<KubeClient, 'request'>, instance: string): NoteSink {
  return async (object, { name, type, reason, message, at }) => {
    const { namespace, uid, resourceVersion } = object.metadata;
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace },
      eventTime: `${new Date(Date.parse(at)).toISOString().slice(0, -1)}000Z`,
      reportingController: CONTROLLER,
      reportingInstance: instance.slice(0, MAX_INSTANCE),
      action: reason,
      reason,
      type,
      note: message.slice(0, MAX_NOTE),
      regarding: { apiVersion: object.apiVersion, kind: object.kind, name: object.metadata.name, namespace, uid, resourceVersion },
    };
    try {
      await client.request('POST', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, { body });
    } catch (error) {
      // Said before, by this one or by the one that led before it.
      if ((error as { status?: unknown }).status !== 409) throw error;
    }
  };
}
