// Where an installation answers, and what to type next.
import type { Style } from '../terminal/io.ts';
import type { Resources } from './cluster/resources.ts';
import type { Wanted } from './options.ts';

export interface Addresses {
  /** Undefined: nothing outside of the cluster leads to it yet. */
  webhook: string | undefined;
  api: string | undefined;
  site: string;
}

const WEBHOOK_PATH = '/webhooks/github';

export async function addressesOf(
  resources: Resources,
  { namespace, overlay, settings }: Pick<Wanted, 'namespace' | 'overlay' | 'settings'>,
): Promise<Addresses> {
  const url = async (name: string) => {
    if (overlay !== 'knative') return undefined;
    const service = await resources.get({ apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name, namespace } });
    return service?.status?.['url'] as string | undefined;
  };
  const [webhook, api] = await Promise.all([url('github-webhook'), url('api')]);
  return { webhook: webhook && webhook + WEBHOOK_PATH, api, site: `<project>.${settings.TIDEMILL_SITE_HOST}` };
}

export function reportText({ webhook, api, site }: Addresses, wanted: Wanted, style: Style): string {
  const { namespace, settings, overlay } = wanted;
  const secret = (key: string) => `kubectl --namespace ${namespace} get secret tidemill-secrets --output jsonpath='{.data.${key}}' | base64 --decode`;
  const forward = (name: string, port: number) => `kubectl --namespace ${namespace} port-forward service/${name} ${port}:80`;
  const local = 'http://localhost:8080';
  const lines = [
    '',
    `${style.bold(`tidemill ${wanted.version}`)} in ${namespace} (${overlay}, ${wanted.size})`,
    '',
    `  Webhook   ${webhook ?? 'lead an Ingress or Gateway to the Service github-webhook, port 80, path /webhooks/github'}`,
    `  API       ${api ?? `${forward('api', 8080)}      then ${local}`}`,
    `  Sites     ${site}: lead *.${settings.TIDEMILL_SITE_HOST} to the Service site, port 80`,
    '',
    'What to type next:',
    `  ${secret('api-token')} > token`,
    `  tidemill --server ${api ?? local} --token-file token add docs https://github.com/you/docs.git`,
    `  ${secret('webhook-secret')}      the secret to give to GitHub, with the webhook's address`,
    `  kubectl --namespace ${settings.TIDEMILL_NAMESPACE} get tidemill`,
    `  tidemill doctor${namespace === 'tidemill-system' ? '' : ` --namespace ${namespace}`}`,
  ];
  return `${lines.join('\n')}\n`;
}
