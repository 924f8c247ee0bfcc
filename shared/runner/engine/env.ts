// The environment of a step: what its Task names, on top of a clean base. Nothing of the server's own environment leaks in.
import { InvalidValue } from '../task/params.ts';
import type { Container, EnvVar, References } from '../task/spec.ts';

/** Names that a step inherits: how to reach the network and which language to speak. Never a secret of the server. */
const INHERITED =
  /^(?:LANG|LANGUAGE|LC_[A-Z]+|TZ|(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|PIP_CERT)$/;

export function inheritedEnv(from: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(from).filter((entry): entry is [string, string] => entry[1] !== undefined && INHERITED.test(entry[0])));
}

/** What fieldRef may name of the pod. */
export interface PodFields {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface EnvOptions {
  references: References;
  pod: PodFields;
  mask: (secret: string) => void;
}

/** envFrom, then env, a later name winning. Throws InvalidValue when a secret or config map is not there. */
export async function declaredEnv(container: Container, options: EnvOptions): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const { prefix = '', secretRef, configMapRef } of container.envFrom ?? []) {
    const ref = secretRef ?? configMapRef;
    const data = secretRef ? await secretData(secretRef.name, options) : configMapRef && (await options.references.configMap(configMapRef.name));
    if (!data && !ref?.optional) throw new InvalidValue(`envFrom needs the ${secretRef ? 'secret' : 'config map'} "${ref?.name ?? ''}", which does not exist`);
    for (const [key, value] of Object.entries(data ?? {})) env[`${prefix}${key}`] = value.toString('utf8');
  }
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom ? await referred(variable, options) : expand(variable.value ?? '', env);
    if (value !== undefined) env[variable.name] = value;
  }
  return env;
}

async function secretData(name: string, { references, mask }: EnvOptions): Promise<Record<string, Buffer> | undefined> {
  const data = await references.secret(name);
  for (const value of Object.values(data ?? {})) mask(value.toString('utf8'));
  return data;
}

async function referred({ name, valueFrom }: EnvVar, options: EnvOptions): Promise<string | undefined> {
  if (valueFrom?.fieldRef) return podField(name, valueFrom.fieldRef.fieldPath, options.pod);
  const ref = valueFrom?.secretKeyRef ?? valueFrom?.configMapKeyRef;
  if (!ref) throw new InvalidValue(`env ${name}: valueFrom names nothing`);
  const kind = valueFrom?.secretKeyRef ? 'secret' : 'config map';
  const data = kind === 'secret' ? await secretData(ref.name, options) : await options.references.configMap(ref.name);
  const value = data && Object.hasOwn(data, ref.key) ? data[ref.key] : undefined;
  if (value !== undefined) return value.toString('utf8');
  if (ref.optional) return undefined;
  throw new InvalidValue(`env ${name} needs the key "${ref.key}" of the ${kind} "${ref.name}", which does not exist`);
}

function podField(name: string, path: string, pod: PodFields): string {
  if (path === 'metadata.name') return pod.name;
  if (path === 'metadata.namespace') return pod.namespace;
  const [, map, key] = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path) ?? [];
  if (map === 'labels') return pod.labels[key!] ?? '';
  if (map === 'annotations') return pod.annotations[key!] ?? '';
  throw new InvalidValue(`env ${name}: the field ${path} has no meaning without a pod`);
}

/** Kubernetes' own $(NAME) in command, args and env: known variables are replaced, $$ is a plain $. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\$|\(([^()]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$';
    return Object.hasOwn(env, name) ? env[name]! : whole;
  });
}
