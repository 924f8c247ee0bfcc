// The connection of a kubeconfig, by client-node: it knows contexts, exec plugins, OIDC, client certificates and proxies. Loaded only where one is used.
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import type { Connect, Tls } from './connection.ts';

export interface KubeconfigOptions {
  /** Default: the files of KUBECONFIG, else ~/.kube/config, else the pod's service account. */
  file?: string;
  /** Default: the file's current context. */
  context?: string;
}

/** Plugins are asked again at most so often while the server takes what they gave; they keep it themselves until it ends. */
const REAPPLY_MS = 10_000;

export function fromKubeconfig({ file, context }: KubeconfigOptions = {}): Connect {
  return async () => {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const load = () => {
      const config = new KubeConfig();
      if (file) config.loadFromFile(file);
      else config.loadFromDefault();
      if (context) config.setCurrentContext(context);
      return config;
    };
    let config = load();
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error(`The kubeconfig has no context "${config.getCurrentContext()}", or it names no cluster: see \`kubectl config get-contexts\``);
    // What client-node makes up where it finds nothing at all.
    if (config.getCurrentContext() === 'loaded-context')
      throw new Error('There is no kubeconfig: set KUBECONFIG to one, or make ~/.kube/config (`kubectl config view` shows what kubectl would use)');
    let applied = await apply(config);
    let appliedAt = performance.now();
    return {
      server: cluster.server,
      tls: tlsOf(applied),
      headers: async (renew) => {
        if (renew) config = load();
        if (renew || performance.now() - appliedAt > REAPPLY_MS) {
          applied = await apply(config);
          appliedAt = performance.now();
        }
        return headersOf(applied);
      },
      ...(isProxy(applied.agent) && { agent: applied.agent }),
      namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    };
  };
}

type Applied = RequestOptions & { servername?: string };
type Config = { applyToHTTPSOptions(options: Applied): Promise<void> };

async function apply(config: Config): Promise<Applied> {
  const options: Applied = {};
  await config.applyToHTTPSOptions(options);
  return options;
}

function tlsOf(options: Applied): Tls {
  return {
    ...(options.ca && { ca: options.ca }),
    ...(options.cert && { cert: options.cert }),
    ...(options.key && { key: options.key }),
    ...(options.servername && { servername: options.servername }),
    ...(options.rejectUnauthorized === false && { insecure: true }),
  };
}

function headersOf(options: Applied): Record<string, string> {
  const headers = Object.fromEntries(Object.entries(options.headers ?? {}).map(([key, value]) => [key.toLowerCase(), String(value)]));
  if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

/** What client-node makes for a proxy is a class of its own; its plain agents are not needed, as there are ours. */
function isProxy(agent: RequestOptions['agent']): agent is HttpAgent {
  return typeof agent === 'object' && agent.constructor !== HttpAgent && agent.constructor !== HttpsAgent;
}
