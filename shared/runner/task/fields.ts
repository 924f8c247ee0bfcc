// Every field of Task, TaskRun and StepAction v1 that the engine honours. What is not here is refused by name.

/** A list of one mapping is a list of such; a list of words is a choice. `value`: a param's value. */
export type Field = 'any' | 'string' | 'boolean' | 'number' | 'value' | 'strings' | readonly string[] | readonly [Fields] | Fields;
export interface Fields {
  [name: string]: Field;
}

const ITEMS = [{ key: 'string', path: 'string', mode: 'number' }] as const;
const SECRET = { secretName: 'string', items: ITEMS, defaultMode: 'number', optional: 'boolean' } as const;
const CONFIG_MAP = { name: 'string', items: ITEMS, defaultMode: 'number', optional: 'boolean' } as const;
const CLAIM = { claimName: 'string', readOnly: 'boolean' } as const;
/** Where an emptyDir lies and how big it may grow is the machine's business here. */
const EMPTY_DIR = { medium: ['', 'Memory'] } as const;

const KEY_REF = { name: 'string', key: 'string', optional: 'boolean' } as const;
const ENV = {
  name: 'string',
  value: 'string',
  valueFrom: { secretKeyRef: KEY_REF, configMapKeyRef: KEY_REF, fieldRef: { fieldPath: 'string', apiVersion: 'string' } },
} as const;
const FROM = { name: 'string', optional: 'boolean' } as const;

const SECURITY = {
  runAsUser: 'number',
  runAsGroup: 'number',
  runAsNonRoot: 'boolean',
  privileged: 'boolean',
  allowPrivilegeEscalation: 'boolean',
  readOnlyRootFilesystem: 'boolean',
  capabilities: { add: 'strings', drop: 'strings' },
  seccompProfile: { type: ['RuntimeDefault', 'Unconfined'] },
} as const;

const CONTAINER = {
  name: 'string',
  image: 'string',
  imagePullPolicy: 'string',
  command: 'strings',
  args: 'strings',
  env: [ENV],
  envFrom: [{ prefix: 'string', secretRef: FROM, configMapRef: FROM }],
  workingDir: 'string',
  volumeMounts: [{ name: 'string', mountPath: 'string', subPath: 'string', readOnly: 'boolean' }],
  securityContext: SECURITY,
  computeResources: { limits: 'any', requests: 'any' },
} as const;

const PARAMS = [{ name: 'string', value: 'value' }] as const;
const TYPES = ['string', 'array', 'object'] as const;
const PROPERTIES = 'any';
const PARAM_SPECS = [{ name: 'string', type: TYPES, description: 'string', properties: PROPERTIES, default: 'value', enum: 'strings' }] as const;
const RESULTS = [{ name: 'string', type: TYPES, description: 'string', properties: PROPERTIES, value: 'value' }] as const;
const USAGES = [{ name: 'string', mountPath: 'string' }] as const;

const STEP: Fields = {
  ...CONTAINER,
  displayName: 'string',
  script: 'string',
  timeout: 'string',
  onError: 'string',
  when: [{ input: 'string', operator: ['in', 'notin'], values: 'strings' }],
  ref: { name: 'string' },
  params: PARAMS,
  results: RESULTS,
  workspaces: USAGES,
  stdoutConfig: { path: 'string' },
  stderrConfig: { path: 'string' },
};

const PROBE = {
  exec: { command: 'strings' },
  httpGet: { path: 'string', port: 'number', host: 'string', scheme: ['HTTP', 'HTTPS'] },
  tcpSocket: { port: 'number', host: 'string' },
  initialDelaySeconds: 'number',
  periodSeconds: 'number',
  timeoutSeconds: 'number',
  successThreshold: 'number',
  failureThreshold: 'number',
} as const;

const SIDECAR: Fields = { ...CONTAINER, script: 'string', workspaces: USAGES, readinessProbe: PROBE, ports: 'any' };

const VOLUME: Fields = { name: 'string', emptyDir: EMPTY_DIR, secret: SECRET, configMap: CONFIG_MAP, persistentVolumeClaim: CLAIM };

export const TASK: Fields = {
  displayName: 'string',
  description: 'string',
  params: PARAM_SPECS,
  results: RESULTS,
  workspaces: [{ name: 'string', description: 'string', mountPath: 'string', readOnly: 'boolean', optional: 'boolean' }],
  steps: [STEP],
  stepTemplate: CONTAINER,
  sidecars: [SIDECAR],
  volumes: [VOLUME],
};

export const STEP_ACTION: Fields = {
  description: 'string',
  image: 'string',
  command: 'strings',
  args: 'strings',
  script: 'string',
  env: [ENV],
  workingDir: 'string',
  params: PARAM_SPECS,
  results: RESULTS,
  volumeMounts: CONTAINER.volumeMounts,
  securityContext: SECURITY,
};

export const SPEC: Fields = {
  params: PARAMS,
  workspaces: [
    {
      name: 'string',
      subPath: 'string',
      emptyDir: EMPTY_DIR,
      secret: SECRET,
      configMap: CONFIG_MAP,
      persistentVolumeClaim: CLAIM,
      /** A folder of the run's own, whatever size and class it asks for. */
      volumeClaimTemplate: 'any',
    },
  ],
  timeout: 'string',
  retries: 'number',
  taskSpec: 'any',
  taskRef: { name: 'string', kind: ['Task'], apiVersion: ['tekton.dev/v1', 'tekton.dev/v1beta1'] },
  status: ['TaskRunCancelled'],
  statusMessage: 'string',
  /** Tekton's own controller; the local runner stands in for it. */
  managedBy: ['tekton.dev/pipeline'],
};

const isRoot = process.getuid?.() === 0;

/** What only a container can do, unless the value asks for what is so anyway. */
export const NEEDS_IMAGES: readonly { path: readonly string[]; honoured: (value: unknown) => boolean; why: string }[] = [
  { path: ['securityContext', 'runAsUser'], honoured: (id) => id === process.getuid?.(), why: 'asks for another user' },
  { path: ['securityContext', 'runAsGroup'], honoured: (id) => id === process.getgid?.(), why: 'asks for another group' },
  { path: ['securityContext', 'runAsNonRoot'], honoured: (wanted) => wanted === false || !isRoot, why: 'asks for a user other than root' },
  { path: ['securityContext', 'privileged'], honoured: (wanted) => wanted === false, why: 'asks for privileges of its own' },
  { path: ['securityContext', 'allowPrivilegeEscalation'], honoured: (wanted) => wanted === true, why: 'asks that privileges cannot grow' },
  { path: ['securityContext', 'readOnlyRootFilesystem'], honoured: (wanted) => wanted === false, why: 'asks for a read-only file system' },
  { path: ['securityContext', 'capabilities'], honoured: () => false, why: 'asks for other capabilities' },
  {
    path: ['securityContext', 'seccompProfile'],
    honoured: (profile) => (profile as { type?: string }).type === 'Unconfined',
    why: 'asks for a filter of system calls',
  },
  { path: ['computeResources', 'limits'], honoured: () => false, why: 'asks for limits on processor and memory' },
];
