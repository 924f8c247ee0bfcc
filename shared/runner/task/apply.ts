// Applies variables to the fields of steps, sidecars, the stepTemplate and volumes: the same fields that Tekton applies them to.
import { replaceInValue } from './params.ts';
import type { Container, EnvFrom, EnvVar, Sidecar, Step, Volume, When, WorkspaceBinding } from './spec.ts';
import { type Replacements, substitute, substituteArgument } from './substitute.ts';

/** Undefined fields stay absent. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function applyEnv(env: EnvVar, strings: ReadonlyMap<string, string>): EnvVar {
  const from = env.valueFrom;
  const ref = <R extends { name: string; key: string }>(r: R | undefined) => r && { ...r, name: substitute(r.name, strings), key: substitute(r.key, strings) };
  return defined({
    ...env,
    value: env.value === undefined ? undefined : substitute(env.value, strings),
    valueFrom: from && defined({ ...from, secretKeyRef: ref(from.secretKeyRef), configMapKeyRef: ref(from.configMapKeyRef) }),
  });
}

function applyEnvFrom(from: EnvFrom, strings: ReadonlyMap<string, string>): EnvFrom {
  const ref = <R extends { name: string }>(r: R | undefined) => r && { ...r, name: substitute(r.name, strings) };
  return defined({ prefix: from.prefix && substitute(from.prefix, strings), secretRef: ref(from.secretRef), configMapRef: ref(from.configMapRef) });
}

function text(value: string | undefined, by: Replacements): string | undefined {
  return value === undefined ? undefined : substitute(value, by.strings);
}

export function applyContainer<C extends Container>(container: C, by: Replacements): C {
  return defined({
    ...container,
    name: text(container.name, by),
    image: text(container.image, by),
    imagePullPolicy: text(container.imagePullPolicy, by),
    workingDir: text(container.workingDir, by),
    command: container.command?.flatMap((part) => substituteArgument(part, by)),
    args: container.args?.flatMap((part) => substituteArgument(part, by)),
    env: container.env?.map((env) => applyEnv(env, by.strings)),
    envFrom: container.envFrom?.map((from) => applyEnvFrom(from, by.strings)),
    volumeMounts: container.volumeMounts?.map((mount) =>
      defined({ ...mount, name: substitute(mount.name, by.strings), mountPath: substitute(mount.mountPath, by.strings), subPath: text(mount.subPath, by) }),
    ),
  });
}

function applyWhen(when: When, by: Replacements): When {
  return { ...when, input: substitute(when.input, by.strings), values: when.values.flatMap((value) => substituteArgument(value, by)) };
}

export function applyStep(step: Step, by: Replacements): Step {
  return defined({
    ...applyContainer(step, by),
    script: text(step.script, by),
    onError: text(step.onError, by),
    when: step.when?.map((when) => applyWhen(when, by)),
    params: step.params?.map((param) => ({ ...param, value: replaceInValue(param.value, by) })),
    stdoutConfig: step.stdoutConfig && { path: substitute(step.stdoutConfig.path, by.strings) },
    stderrConfig: step.stderrConfig && { path: substitute(step.stderrConfig.path, by.strings) },
  });
}

export function applySidecar(sidecar: Sidecar, by: Replacements): Sidecar {
  return defined({ ...applyContainer(sidecar, by), script: text(sidecar.script, by) });
}

export function applyVolume(volume: Volume, by: Replacements): Volume {
  return defined({ ...applySources(volume, by), name: substitute(volume.name, by.strings) });
}

/** Workspace bindings know only the params. */
export function applyBinding(binding: WorkspaceBinding, by: Replacements): WorkspaceBinding {
  return defined({ ...applySources(binding, by), subPath: text(binding.subPath, by) });
}

type Sources = Pick<Volume, 'secret' | 'configMap' | 'persistentVolumeClaim'>;

function applySources<S extends Sources>(source: S, by: Replacements): S {
  const { strings } = by;
  const items = (of: { items?: { key: string; path: string; mode?: number }[] }) =>
    of.items && { items: of.items.map((item) => ({ ...item, key: substitute(item.key, strings), path: substitute(item.path, strings) })) };
  return {
    ...source,
    secret: source.secret && { ...source.secret, ...items(source.secret), secretName: substitute(source.secret.secretName, strings) },
    configMap: source.configMap && { ...source.configMap, ...items(source.configMap), name: substitute(source.configMap.name, strings) },
    persistentVolumeClaim: source.persistentVolumeClaim && {
      ...source.persistentVolumeClaim,
      claimName: substitute(source.persistentVolumeClaim.claimName, strings),
    },
  };
}

/** Every text of a container that variables are looked for in. */
export function textsOf(container: Container & { script?: string }): string[] {
  return [
    container.script,
    container.name,
    container.image,
    container.workingDir,
    ...(container.command ?? []),
    ...(container.args ?? []),
    ...(container.env ?? []).flatMap((env) => [
      env.value,
      env.valueFrom?.secretKeyRef?.name,
      env.valueFrom?.secretKeyRef?.key,
      env.valueFrom?.configMapKeyRef?.name,
    ]),
    ...(container.envFrom ?? []).flatMap((from) => [from.prefix, from.secretRef?.name, from.configMapRef?.name]),
    ...(container.volumeMounts ?? []).flatMap((mount) => [mount.name, mount.mountPath, mount.subPath]),
  ].filter((value) => value !== undefined);
}
