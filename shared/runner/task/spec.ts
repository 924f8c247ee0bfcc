// Tekton's Task v1 as the engine works on it: what check.ts let through, so every field named here is honoured.
// https://tekton.dev/docs/pipelines/tasks/, https://tekton.dev/docs/pipelines/taskruns/, https://tekton.dev/docs/pipelines/stepactions/
import type { ParamValue } from '../../objects/taskrun.ts';

export type ValueType = 'string' | 'array' | 'object';

export interface ParamSpec {
  name: string;
  type?: ValueType;
  description?: string;
  properties?: Record<string, { type?: string }>;
  default?: ParamValue;
  enum?: string[];
}

export interface Param {
  name: string;
  value: ParamValue;
}

export interface ResultSpec {
  name: string;
  type?: ValueType;
  description?: string;
  properties?: Record<string, { type?: string }>;
  /** $(steps.<name>.results.<result>): taken from that step's result instead of a file of the Task's own. */
  value?: ParamValue;
}

interface KeyRef {
  name: string;
  key: string;
  optional?: boolean;
}

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: KeyRef; configMapKeyRef?: KeyRef; fieldRef?: { fieldPath: string } };
}

export interface EnvFrom {
  prefix?: string;
  secretRef?: { name: string; optional?: boolean };
  configMapRef?: { name: string; optional?: boolean };
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  subPath?: string;
  readOnly?: boolean;
}

interface KeyToPath {
  key: string;
  path: string;
  mode?: number;
}

export interface SecretSource {
  secretName: string;
  items?: KeyToPath[];
  defaultMode?: number;
  optional?: boolean;
}

export interface ConfigMapSource {
  name: string;
  items?: KeyToPath[];
  defaultMode?: number;
  optional?: boolean;
}

export interface Volume {
  name: string;
  emptyDir?: object;
  secret?: SecretSource;
  configMap?: ConfigMapSource;
  persistentVolumeClaim?: { claimName: string; readOnly?: boolean };
}

export interface WorkspaceDeclaration {
  name: string;
  description?: string;
  mountPath?: string;
  readOnly?: boolean;
  optional?: boolean;
}

export interface WorkspaceBinding {
  name: string;
  subPath?: string;
  emptyDir?: object;
  secret?: SecretSource;
  configMap?: ConfigMapSource;
  persistentVolumeClaim?: { claimName: string; readOnly?: boolean };
  volumeClaimTemplate?: object;
}

export interface WorkspaceUsage {
  name: string;
  mountPath?: string;
}

export interface When {
  input: string;
  operator: 'in' | 'notin';
  values: string[];
}

/** What a step, a sidecar and the stepTemplate have in common. */
export interface Container {
  name?: string;
  image?: string;
  imagePullPolicy?: string;
  command?: string[];
  args?: string[];
  env?: EnvVar[];
  envFrom?: EnvFrom[];
  workingDir?: string;
  volumeMounts?: VolumeMount[];
  securityContext?: Record<string, unknown>;
  computeResources?: { limits?: Record<string, unknown>; requests?: Record<string, unknown> };
}

export interface Step extends Container {
  displayName?: string;
  script?: string;
  timeout?: string;
  onError?: string;
  when?: When[];
  ref?: { name: string };
  params?: Param[];
  results?: ResultSpec[];
  workspaces?: WorkspaceUsage[];
  stdoutConfig?: { path: string };
  stderrConfig?: { path: string };
}

export interface Probe {
  exec?: { command: string[] };
  httpGet?: { path?: string; port: number | string; host?: string; scheme?: string };
  tcpSocket?: { port: number | string; host?: string };
  initialDelaySeconds?: number;
  periodSeconds?: number;
  timeoutSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
}

export interface Sidecar extends Container {
  name: string;
  script?: string;
  workspaces?: WorkspaceUsage[];
  readinessProbe?: Probe;
}

export interface Task {
  displayName?: string;
  description?: string;
  params?: ParamSpec[];
  results?: ResultSpec[];
  workspaces?: WorkspaceDeclaration[];
  steps: Step[];
  stepTemplate?: Container;
  sidecars?: Sidecar[];
  volumes?: Volume[];
}

export interface StepAction {
  description?: string;
  image?: string;
  command?: string[];
  args?: string[];
  script?: string;
  env?: EnvVar[];
  workingDir?: string;
  params?: ParamSpec[];
  results?: ResultSpec[];
  volumeMounts?: VolumeMount[];
  securityContext?: Record<string, unknown>;
}

/** A TaskRun's spec, with what taskRef points at already in `taskSpec`. */
export interface RunSpec {
  params?: Param[];
  workspaces?: WorkspaceBinding[];
  timeout?: string;
  retries?: number;
}

/** What a run refers to by name. Undefined: there is none of that name. */
export interface References {
  stepAction(name: string): Promise<StepAction | undefined>;
  secret(name: string): Promise<Record<string, Buffer> | undefined>;
  configMap(name: string): Promise<Record<string, Buffer> | undefined>;
  /** Absolute folder that the claim stands for. */
  claim(name: string): Promise<string | undefined>;
}

/** Container names as Tekton gives them: a step without a name is unnamed-<index>. */
export function stepName(step: { name?: string }, index: number): string {
  return step.name || `unnamed-${index}`;
}
