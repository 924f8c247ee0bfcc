// One bundle per function and per edge, by esbuild. What several share stands in chunks once, and what is imported lazily stays in chunks of its own.
import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { functions } from '../../functions/graph.ts';
import { builtins, startedModules, zodAsNamespace } from './bundle-plugins.ts';
import { type Entry, file } from './layers/entry.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
const IN_CLUSTER = 'functions/in-cluster';
const ENTRIES = `${IN_CLUSTER}/entries`;

/** A module that is started: its name in /app, and its code, which imports by paths from the root. */
export interface Source {
  name: string;
  code: string;
}

/** The event functions of the graph, and the entries that stand in files. */
export function sources(root = ROOT): Source[] {
  const files = readdirSync(join(root, ENTRIES)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const events = Object.keys(functions).map((name) => ({
    name,
    code: `import { runFunction } from './${IN_CLUSTER}/function.ts';\nimport { handle } from './functions/${name}/handler.ts';\nawait runFunction('${name}', handle);\n`,
  }));
  const edges = files.map((entry) => ({ name: entry.slice(0, -3), code: `import './${ENTRIES}/${entry}';\n` }));
  return [...events, ...edges].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** `app/<name>.mjs`, `app/chunks/…`, and the notices of the packages that went into them. */
export async function bundle(wanted: readonly Source[], root = ROOT): Promise<Entry[]> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: wanted.map(({ name }) => ({ in: `tidemill:${name}`, out: name })),
    plugins: [startedModules(wanted, root), builtins, zodAsNamespace(root)],
    outdir: 'app',
    chunkNames: 'chunks/[name]-[hash]',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifySyntax: true,
    legalComments: 'linked',
    treeShaking: true,
    conditions: ['node', 'import', 'production'],
    define: { 'process.env.NODE_ENV': '"production"' },
    // Packages of the older kind ask for Node's own modules by require, which a module has not of itself.
    banner: { js: `const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);` },
    logLevel: 'silent',
  });
  return outputFiles.map(({ path, contents }) => file(relative(root, path), Buffer.from(contents))).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
