// Namespaces of a test's own, gone when it ends.
import { randomBytes } from 'node:crypto';
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';

/** Names that begin with `prefix` and the words given, created; in the order given. */
export async function makeNamespaces<const W extends readonly string[]>(
  client: KubeClient,
  prefix: string,
  words: W,
): Promise<{ -readonly [I in keyof W]: string }> {
  const id = randomBytes(4).toString('hex');
  const names = words.map((word) => `${prefix}-${id}-${word}`);
  await Promise.all(names.map((name) => client.request('POST', '/api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } })));
  return names as { -readonly [I in keyof W]: string };
}

/** Returns when their end has begun; what is in them goes with them. */
export async function dropNamespaces(client: KubeClient, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => client.request('DELETE', `/api/v1/namespaces/${name}`)));
}
