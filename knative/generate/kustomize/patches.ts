// What a size changes of the other's objects, as the patches of a kustomization: only what differs, and once for all that differ alike.
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../object.ts';

/** Of RFC 6902. */
export interface Operation {
  op: 'add' | 'remove' | 'replace';
  path: string;
  value?: unknown;
}

type Tree = Record<string, unknown>;

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
const escaped = (key: string | number) => String(key).replaceAll('~', '~0').replaceAll('/', '~1');

/** Operations that make `to` of `from`. Lists of one length are gone into, others are replaced. */
export function difference(from: unknown, to: unknown, path = ''): Operation[] {
  if (isDeepStrictEqual(from, to)) return [];
  if (isTree(from) && isTree(to)) {
    return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((key): Operation[] => {
      const at = `${path}/${escaped(key)}`;
      if (!(key in to)) return [{ op: 'remove', path: at }];
      return key in from ? difference(from[key], to[key], at) : [{ op: 'add', path: at, value: to[key] }];
    });
  }
  if (Array.isArray(from) && Array.isArray(to) && from.length === to.length) return from.flatMap((item, n) => difference(item, to[n], `${path}/${n}`));
  return [{ op: 'replace', path, value: to }];
}

export interface Patch {
  /** Without a name: all of the kind. */
  target: { group?: string; version: string; kind: string; name?: string };
  /** The operations, as YAML in a kustomization: printed by the caller. */
  operations: Operation[];
}

const idOf = ({ apiVersion, kind, metadata }: KubeObject) => [apiVersion, kind, metadata.namespace ?? '', metadata.name].join(' ');

/** The patches and the new objects that make `to` of `from`. Throws where an object would have to go: a kustomization cannot take one away. */
export function patchesBetween(from: readonly KubeObject[], to: readonly KubeObject[]): { patches: Patch[]; added: KubeObject[] } {
  const before = new Map(from.map((object) => [idOf(object), object]));
  const added: KubeObject[] = [];
  const single: Single[] = [];
  for (const object of to) {
    const old = before.get(idOf(object));
    before.delete(idOf(object));
    if (!old) added.push(object);
    else {
      const [version, group] = object.apiVersion.split('/').toReversed() as [string, string?];
      const operations = difference(old, object);
      if (operations.length > 0) single.push({ target: { ...(group && { group }), version, kind: object.kind, name: object.metadata.name }, operations });
    }
  }
  if (before.size > 0) throw new Error(`A size only adds to the other: ${[...before.keys()].join(', ')} would have to go`);
  return { patches: merged(single, from), added };
}

interface Single {
  target: { group?: string; version: string; kind: string; name: string };
  operations: Operation[];
}

function isAll(names: readonly string[], { group, version, kind }: Patch['target'], all: readonly KubeObject[]): boolean {
  const apiVersion = group ? `${group}/${version}` : version;
  return all.filter((object) => object.kind === kind && object.apiVersion === apiVersion).length === names.length;
}

/** Operations that several objects have in common become one patch of all of them, by a pattern of their names. */
function merged(single: readonly Single[], all: readonly KubeObject[]): Patch[] {
  const alike = new Map<string, Single & { names: string[] }>();
  for (const { target, operations } of single) {
    for (const operation of operations) {
      const key = JSON.stringify([target.group, target.version, target.kind, operation]);
      const patch = alike.get(key) ?? { target, operations: [operation], names: [] };
      patch.names.push(target.name);
      alike.set(key, patch);
    }
  }
  const together = new Map<string, Patch>();
  for (const { target, operations, names } of alike.values()) {
    const { name: _one, ...kind } = target;
    const named = isAll(names, target, all) ? kind : { ...target, name: names.join('|') };
    const key = JSON.stringify(named);
    const patch: Patch = together.get(key) ?? { target: named, operations: [] };
    patch.operations.push(...operations);
    together.set(key, patch);
  }
  return [...together.values()];
}
