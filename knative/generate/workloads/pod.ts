// The container that every function runs in: who it is, what it is told, what it may use, and how one sees that it is well.
import { CONFIG, type Resolved, SECRETS } from '../options.ts';
import type { Workload } from './workloads.ts';

/** Of the image's own user, which no file belongs to. */
const USER = 65_532;
const PORT = 8080;

interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: object;
}

const fromSecret = (name: string, secret: string, key: string, optional = false): EnvVar => ({
  name,
  valueFrom: { secretKeyRef: { name: secret, key, ...(optional && { optional }) } },
});

const NATS_ENV = [
  fromSecret('TIDEMILL_NATS_TOKEN', SECRETS.tidemill, 'nats-token', true),
  fromSecret('TIDEMILL_NATS_USER', SECRETS.tidemill, 'nats-user', true),
  fromSecret('TIDEMILL_NATS_PASSWORD', SECRETS.tidemill, 'nats-password', true),
];

const OWN_ENV: Record<string, EnvVar[]> = {
  'github-webhook': [fromSecret('TIDEMILL_WEBHOOK_SECRET', SECRETS.tidemill, 'webhook-secret')],
  api: [fromSecret('TIDEMILL_TOKEN', SECRETS.tidemill, 'api-token')],
};

/** Events of Knative that wait wait in Storage, so there every function that may say "not yet" has it. */
function usesStorage(workload: Workload, overlay: Resolved['overlay']): boolean {
  return (
    workload.needs.includes('storage') ||
    ['bytes', 'dead-letters', 'watcher'].includes(workload.name) ||
    (overlay === 'knative' && workload.kind === 'function')
  );
}

function usesBroker(workload: Workload): boolean {
  return workload.kind === 'function' || workload.publishes;
}

/** The keys of the store are absent where pods have an identity there by themselves. */
function envFrom(workload: Workload, { overlay }: Resolved): object[] {
  const storage = usesStorage(workload, overlay) ? [{ secretRef: { name: SECRETS.storage, optional: true } }] : [];
  return [{ configMapRef: { name: CONFIG.all } }, { configMapRef: { name: CONFIG.events } }, ...storage];
}

function env(workload: Workload, { overlay }: Resolved): EnvVar[] {
  return [...(OWN_ENV[workload.name] ?? []), ...(overlay === 'jetstream' && usesBroker(workload) ? NATS_ENV : [])];
}

/** What is asked for is what one needs that waits for events, and something on top: two dozen that wait would else take cores from the builds. */
function resources(workload: Workload, size: Resolved['size']): object {
  return size === 'small'
    ? { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '1', memory: workload.memory } }
    : { requests: { cpu: '50m', memory: '128Mi' }, limits: { cpu: '2', memory: workload.memory === '256Mi' ? '512Mi' : '1Gi' } };
}

/** Asks for nothing that restricted Pod Security forbids, and has nothing to write to but /tmp. */
export function container(workload: Workload, options: Resolved, probes: object): object {
  const variables = env(workload, options);
  return {
    name: workload.name,
    image: options.image,
    imagePullPolicy: 'IfNotPresent',
    command: ['/usr/bin/node', `/app/${workload.name}.mjs`],
    ports: [{ containerPort: PORT, ...(options.overlay === 'jetstream' && { name: 'http' }) }],
    envFrom: envFrom(workload, options),
    ...(variables.length > 0 && { env: variables }),
    resources: resources(workload, options.size),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
      runAsGroup: USER,
      runAsNonRoot: true,
      runAsUser: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...probes,
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  };
}

export function volumes(workload: Workload): object[] {
  return [{ name: 'tmp', emptyDir: { sizeLimit: workload.tmp } }];
}
