// The cluster that kubectl would talk to, when it is there and has Tekton; what is missing is said in a way that helps.
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { type KubeClient, createKubeClient } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import { CliError, EXIT } from '../../exit.ts';

/** Throws CliError: unreachable. */
export async function connect(): Promise<KubeClient> {
  const client = createKubeClient({ connect: anywhere(), userAgent: 'tidemill-task-run' });
  try {
    await client.request('GET', '/apis/tekton.dev/v1', { timeout_ms: 15_000 });
    return client;
  } catch (error) {
    client.close();
    throw new CliError(EXIT.unreachable, whatIsMissing(error as Error), { cause: error });
  }
}

function whatIsMissing(error: Error): string {
  const here = 'Without --runner tekton the Task runs on this machine.';
  if (!(error instanceof KubeError) || error.status === 0)
    return `There is no cluster to run on: ${error.message}\nSet KUBECONFIG, or see \`kubectl config get-contexts\`. ${here}`;
  if (error.status === 404)
    return `The cluster has no Tekton Pipelines (tekton.dev/v1). Install it as https://tekton.dev/docs/installation/pipelines/ says. ${here}`;
  return `The cluster does not let us in: ${error.message}\nTry \`kubectl auth can-i create taskruns.tekton.dev\`. ${here}`;
}

/** What the cluster refused to do. */
export function refusedBy(error: KubeError): CliError {
  const [code, hint] =
    error.status === 403 ? [EXIT.unreachable, '\nSee `kubectl auth can-i --list`.'] : [error.status === 0 ? EXIT.unreachable : EXIT.failed, ''];
  return new CliError(code, `${error.message}${hint}`, { cause: error });
}
