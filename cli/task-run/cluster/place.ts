// Where in the file that is what the cluster's Tekton complains of.
import { InvalidFile, type Manifest } from '../../../shared/runner/file/documents.ts';

type Path = (string | number)[];

/** `prefix`: how the message calls what stands at `path` of the manifest. */
export function placed(manifest: Manifest, prefix: string, path: readonly (string | number)[], error: Error): InvalidFile {
  const [field = ''] = new RegExp(String.raw`\b${prefix.replaceAll('.', String.raw`\.`)}(?:\.\w+|\[\w+\])*`).exec(error.message) ?? [];
  const keys = [...field.slice(prefix.length).matchAll(/\.(\w+)|\[(\d+)\]/g)].map(([, key, index]) => (index === undefined ? key! : Number(index)));
  const [, unknown] = /unknown field "([^"]+)"/.exec(error.message) ?? [];
  const at = unknown !== undefined && !field ? pathOf(manifest.content, unknown.split('.').at(-1)!) : [...path, ...keys];
  return new InvalidFile(`${manifest.place(at ?? [])}: ${error.message}`);
}

/** Of the first field of this name. */
function pathOf(content: unknown, name: string): Path | undefined {
  if (typeof content !== 'object' || content === null) return undefined;
  for (const [key, child] of Object.entries(content)) {
    const step = Array.isArray(content) ? Number(key) : key;
    if (key === name) return [step];
    const below = pathOf(child, name);
    if (below) return [step, ...below];
  }
  return undefined;
}
