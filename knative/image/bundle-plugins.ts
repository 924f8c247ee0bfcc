// What makes a bundle start faster: Node's modules without what importing them by name loads, and of zod only what is used.
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import type { Plugin } from 'esbuild';
import type { Source } from './bundle.ts';

/** The modules that are started: a few lines of code each, in no file. */
export function startedModules(wanted: readonly Source[], root: string): Plugin {
  const codes = new Map(wanted.map(({ name, code }) => [name, code]));
  return {
    name: 'started modules',
    setup: (build) => {
      build.onResolve({ filter: /^tidemill:/ }, ({ path }) => ({ path: path.slice('tidemill:'.length), namespace: 'tidemill' }));
      build.onLoad({ filter: /.*/, namespace: 'tidemill' }, ({ path }) => ({ contents: codes.get(path) ?? '', loader: 'ts', resolveDir: root }));
    },
  };
}

/**
 * An import of a module of Node's makes a facade of it, for which every export is looked at, and behind some of them stand a whole HTTP client
 * and WebCrypto: 25 ms of a start. So each is had as the object that it is, and only what is used of it is looked at.
 */
export const builtins: Plugin = {
  name: 'builtins',
  setup: (build) => {
    build.onResolve({ filter: /^(node:)?[a-z_0-9/]+$/ }, ({ path, kind }) => {
      if (!isBuiltin(path) || (kind !== 'import-statement' && kind !== 'dynamic-import')) return undefined;
      return { path: path.replace(/^node:/, ''), namespace: 'builtin', sideEffects: false };
    });
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
      const name = isBuiltin(path) ? path : `node:${path}`;
      const exported = Object.keys(process.getBuiltinModule(name) ?? {}).filter((key) => /^[A-Za-z_$][\w$]*$/.test(key) && key !== 'default');
      const lines = exported.map((key) => `export const ${key} = /* @__PURE__ */ builtinExport(${JSON.stringify(key)});`);
      const contents = `const builtinModule = /* @__PURE__ */ process.getBuiltinModule(${JSON.stringify(name)});\nconst builtinExport = (key) => builtinModule[key];\nexport default builtinModule;\n${lines.join('\n')}\n`;
      return { contents, loader: 'js' };
    });
  },
};

/** Imported as `{ z }` all of it is kept, with its messages in fifty languages; imported as a namespace, what is used. */
export function zodAsNamespace(root: string): Plugin {
  const own = new RegExp(`^${join(root, '/').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(functions|shared)/.*\\.ts$`);
  return {
    name: 'zod as a namespace',
    setup: (build) => {
      build.onLoad({ filter: own }, async ({ path }) => ({
        contents: (await readFile(path, 'utf8')).replace(/^import \{ z \} from 'zod';$/m, "import * as z from 'zod';"),
        loader: 'ts',
      }));
    },
  };
}
