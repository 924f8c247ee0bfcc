// The way to the cluster that kubectl would take, and its name for people.
import type { Connect } from '../../../shared/kubernetes/client/connection.ts';
import { createKubeClient } from '../../../shared/kubernetes/client/client.ts';
import { CliError, EXIT } from '../../exit.ts';
import { createResources, type Resources } from './resources.ts';

export interface ClusterOptions {
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

export interface Cluster {
  resources: Resources;
  /** Address of the API server. */
  server: string;
  close(): void;
}

export async function openCluster({ kubeconfig, context }: ClusterOptions): Promise<Cluster> {
  let connect: Connect;
  if (kubeconfig === undefined && context === undefined) connect = (await import('../../../shared/kubernetes/client/anywhere.ts')).anywhere();
  else {
    const { fromKubeconfig } = await import('../../../shared/kubernetes/client/kubeconfig.ts');
    connect = fromKubeconfig({ ...(kubeconfig !== undefined && { file: kubeconfig }), ...(context !== undefined && { context }) });
  }
  try {
    const connection = await connect();
    const client = createKubeClient({ connect: async () => connection });
    return { resources: createResources(client), server: connection.server, close: () => client.close() };
  } catch (error) {
    throw new CliError(EXIT.unreachable, `No cluster was found: ${(error as Error).message}\nSet KUBECONFIG or give --kubeconfig, as for kubectl.`, {
      cause: error,
    });
  }
}
