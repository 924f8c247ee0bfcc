// Modules by esbuild. What several share stands in chunks once, and what is imported lazily stays in chunks of its own.
import { relative, resolve } from 'node:path';
import type { BuildOptions } from 'esbuild';
import { builtins, startedModules, zodAsNamespace } from './bundle-plugins.ts';
import { type Entry, file } from './layers/entry.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

/** A module that is started: its name in /app, and its code, which imports by paths from the root. */
export interface Source {
  name: string;
  code: string;
}

/** `app/<name>.mjs`, `app/chunks/…`, and the notices of the packages that went into them. */
export function bundle(wanted: readonly Source[], root = ROOT): Promise<Entry[]> {
  return entriesOf(
    {
      ...common(wanted, root),
      format: 'esm',
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      outExtension: { '.js': '.mjs' },
      // Packages of the older kind ask for Node's own modules by require, which a module has not of itself.
      banner: { js: `const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);` },
    },
    root,
  );
}

export const common = (wanted: readonly Source[], root: string): BuildOptions => ({
  absWorkingDir: root,
  entryPoints: wanted.map(({ name }) => ({ in: `tidemill:${name}`, out: name })),
  plugins: [startedModules(wanted, root), builtins, zodAsNamespace(root)],
  outdir: 'app',
  bundle: true,
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  legalComments: 'linked',
  treeShaking: true,
  conditions: ['node', 'import', 'production'],
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'silent',
});

export async function entriesOf(options: BuildOptions, root: string): Promise<Entry[]> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({ ...options, write: false });
  return outputFiles.map(({ path, contents }) => file(relative(root, path), Buffer.from(contents))).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
