// Reads the Secrets that a pod names, for masking them in its log.
import { KubeError } from '../../kubernetes/client/error.ts';
import type { KubeClient } from '../../kubernetes/client/client.ts';
import type { ReadSecret } from './pod.ts';

/** A Secret that is not there, or that we may not read, is undefined. */
export function secretReader(client: KubeClient): ReadSecret {
  return async (namespace, name) => {
    try {
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`;
      const { data = {} } = await client.request<{ data?: Record<string, string> }>('GET', path);
      return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
    } catch (error) {
      if (error instanceof KubeError && (error.status === 404 || error.status === 403)) return undefined;
      throw error;
    }
  };
}
