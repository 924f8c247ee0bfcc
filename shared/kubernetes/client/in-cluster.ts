// The connection of a pod: address from the environment, certificate and token from the service account's files. Nothing else is loaded for it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import type { Connect } from './connection.ts';

const FILES = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet writes a new token well before the old one ends. */
const REREAD_MS = 30_000;

export interface InClusterOptions {
  /** Folder with token, ca.crt and namespace. */
  files?: string;
  host?: string;
  port?: string;
}

/** Whether this process is in a pod of a cluster. */
export function isInCluster(): boolean {
  return Boolean(env['KUBERNETES_SERVICE_HOST'] && env['KUBERNETES_SERVICE_PORT']);
}

export function inCluster(options: InClusterOptions = {}): Connect {
  return async () => {
    const { files = FILES, host = env['KUBERNETES_SERVICE_HOST'], port = env['KUBERNETES_SERVICE_PORT'] } = options;
    if (!host || !port) throw new Error('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this process is in no pod; set KUBECONFIG');
    const token = createTokenFile(join(files, 'token'));
    const [ca, namespace] = await Promise.all([
      readFile(join(files, 'ca.crt')),
      readFile(join(files, 'namespace'), 'utf8').catch(() => 'default'),
      token(true),
    ]);
    return {
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      tls: { ca },
      headers: async (renew) => ({ authorization: `Bearer ${await token(renew)}` }),
      namespace: namespace.trim() || 'default',
    };
  };
}

/** A token that is read again now and then, as it is replaced while the pod lives. One that cannot be read now is used as it was. */
function createTokenFile(path: string): (renew: boolean) => Promise<string> {
  let token = '';
  let readAt = -Infinity;
  return async (renew) => {
    const now = performance.now();
    if (!renew && now - readAt < REREAD_MS) return token;
    try {
      token = (await readFile(path, 'utf8')).trim();
      readAt = now;
    } catch (error) {
      if (token === '') throw new Error(`The service account's token cannot be read from ${path}: does the pod mount one?`, { cause: error });
    }
    return token;
  };
}
