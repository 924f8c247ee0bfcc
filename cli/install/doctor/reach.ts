// What functions reach from inside the cluster: asked of those that are awake, by way of the API server.
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import type { Live, Resources } from '../cluster/resources.ts';
import { type Finding, note, ok, wrong } from '../finding.ts';
import type { Wanted } from '../options.ts';

const PORT = 8080;
const TIMEOUT_MS = 10_000;

export async function checkReach(resources: Resources, { namespace }: Wanted): Promise<Finding[]> {
  const pods = await resources.list('v1', 'Pod', { namespace, labelSelector: 'app.kubernetes.io/part-of=tidemill' });
  const byName = new Map(pods.filter(isRunning).map((pod) => [pod.metadata.labels?.['app.kubernetes.io/name'] ?? pod.metadata.name, pod]));
  if (byName.size === 0) return [note('Reached from inside', 'no function is awake to be asked')];
  const asked = await Promise.all([...byName].map(async ([name, pod]) => ({ name, ...(await readyz(resources, pod)) })));
  const refused = asked.filter(({ lines }) => lines === undefined);
  if (refused.length === asked.length) return [note('Reached from inside', `the functions cannot be asked from here: ${refused[0]!.why}`)];
  const told = asked.flatMap(({ name, lines = [] }) => lines.map((line) => ({ name, line })));
  const bad = told.filter(({ line }) => /^[a-z -]+: /.test(line) && !line.endsWith(': ok'));
  if (bad.length > 0)
    return bad.map(({ name, line }) =>
      wrong('Reached from inside', `${name} says: ${line}`, REMEDY[line.split(':')[0]!] ?? `kubectl --namespace ${namespace} logs deployment/${name}`),
    );
  const things = [...new Set(told.flatMap(({ line }) => (line.endsWith(': ok') ? [line.slice(0, -4)] : [])))];
  return [
    ok(
      'Reached from inside',
      things.length > 0 ? `${things.join(', ')}, as ${asked.map(({ name }) => name).join(', ')} say` : `${asked.map(({ name }) => name).join(', ')} are ready`,
    ),
  ];
}

const REMEDY: Record<string, string> = {
  storage: 'Is the address of S3 one that pods reach, and do the keys open the bucket? tidemill install --s3-endpoint … --s3-bucket …',
  broker: 'Is the address of NATS one that pods reach? tidemill install --nats …',
};

const isRunning = ({ metadata, status }: Live) => status?.['phase'] === 'Running' && metadata.deletionTimestamp === undefined;

async function readyz({ client }: Resources, pod: Live): Promise<{ lines?: string[]; why?: string }> {
  const path = `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}:${PORT}/proxy/readyz?verbose`;
  try {
    return { lines: (await client.text(path, { timeout_ms: TIMEOUT_MS })).trim().split('\n') };
  } catch (error) {
    // What is not ready says so by 503, and the answer comes with the error.
    if (error instanceof KubeError && error.status === 503 && /(starting or stopping|ready)\n/.test(error.message))
      return {
        lines: error.message
          .replace(/^.*?: (?=starting|ready)/s, '')
          .replace(/ \(HTTP 503.*$/s, '')
          .split('\n'),
      };
    return { why: (error as Error).message.slice(0, 300) };
  }
}
