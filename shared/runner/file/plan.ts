// What the local runner is given of a file: the run that was chosen, checked with its place in the file, and what it may refer to.
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Isolation } from '../isolation/isolation.ts';
import { checkIsolation, checkRunSpec, checkStepAction, checkTask } from '../task/check.ts';
import type { References, RunSpec, Task } from '../task/spec.ts';
import { type Asked, TEKTON, chooseRun, withValues } from './choose.ts';
import { InvalidFile, type Manifest, located } from './documents.ts';

const STEP_ACTIONS = [...TEKTON, 'tekton.dev/v1alpha1'];

export interface PlanOptions extends Asked {
  isolation: Isolation;
  /** Claims of the file are folders in here. */
  folder: string;
}

export interface Plan {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  taskName: string;
  task: Task;
  spec: RunSpec;
  given: Map<string, string>;
  references: References;
}

/** Throws InvalidFile, InvalidRequest. */
export function planRun(manifests: readonly Manifest[], file: string, options: PlanOptions): Plan {
  const { manifest: chosen, metadata, spec, task: found } = chooseRun(manifests, file, options);
  located(chosen, 'spec', ['spec'], () => checkRunSpec(spec));
  const { manifest, path, name: taskName, content: task } = found;
  const prefix = path.join('.');
  located(manifest, prefix, path, () => checkTask(task, prefix, taskName ? [] : (spec.params ?? [])));
  const checked = task as Task;
  located(manifest, prefix, path, () => checkIsolation(checked, options.isolation, prefix));
  return {
    name: metadata.name ?? runName(metadata.generateName ?? `${chosen.name || 'task'}-run-`),
    namespace: metadata.namespace ?? 'default',
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    taskName,
    task: checked,
    spec,
    given: new Map([...options.workspaces].filter(([, folder]) => folder !== '')),
    references: references(manifests, options.folder),
  };
}

/** As the API server makes names. */
export function runName(prefix: string): string {
  return `${prefix}${randomBytes(3).toString('hex').slice(0, 5)}`;
}

function references(manifests: readonly Manifest[], folder: string): References {
  const find = (kind: string, name: string, versions: readonly string[]) =>
    manifests.find((each) => each.kind === kind && each.name === name && versions.includes(each.apiVersion));
  return {
    stepAction: async (name) => {
      const manifest = find('StepAction', name, STEP_ACTIONS);
      if (!manifest) return undefined;
      const action = { ...(manifest.content['spec'] as object), ...withValues(manifest.content['spec'] as Record<string, unknown>, 'params', 'default') };
      located(manifest, 'spec', ['spec'], () => checkStepAction(action, 'spec'));
      return action;
    },
    secret: async (name) => dataOf(find('Secret', name, ['v1']), 'base64', 'stringData'),
    configMap: async (name) => dataOf(find('ConfigMap', name, ['v1']), 'utf8', 'binaryData'),
    claim: async (name) => {
      if (!find('PersistentVolumeClaim', name, ['v1'])) return undefined;
      const path = join(folder, 'claims', Buffer.from(name).toString('hex'));
      await mkdir(path, { recursive: true });
      return path;
    },
  };
}

/** `encoding`: of the values of `data`; the values of `other` have the other one. */
function dataOf(manifest: Manifest | undefined, encoding: 'base64' | 'utf8', other: 'stringData' | 'binaryData'): Record<string, Buffer> | undefined {
  if (!manifest) return undefined;
  const read = (field: string, as: 'base64' | 'utf8') =>
    Object.entries((manifest.content[field] ?? {}) as Record<string, unknown>).map(([key, value]): [string, Buffer] => {
      if (typeof value !== 'string') throw new InvalidFile(`${manifest.place([field, key])}: ${field}.${key} must be a string`);
      return [key, Buffer.from(value, as)];
    });
  return Object.fromEntries([...read('data', encoding), ...read(other, encoding === 'base64' ? 'utf8' : 'base64')]);
}
