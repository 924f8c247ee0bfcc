// The connection as kubectl would choose it: KUBECONFIG, ~/.kube/config, else the service account of the pod.
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import type { Connect } from './connection.ts';
import { inCluster, isInCluster } from './in-cluster.ts';

export function anywhere(): Connect {
  return async () => {
    if (isInCluster() && !env['KUBECONFIG'] && !(await exists(join(homedir(), '.kube', 'config')))) return inCluster()();
    const { fromKubeconfig } = await import('./kubeconfig.ts');
    return fromKubeconfig()();
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
