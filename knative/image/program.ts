// All processes of the image as one script, tidemill.cjs, and for each a module of one line that starts it: app/<name>.mjs.
// One script, as V8 keeps its code only of scripts; what a process does not use of it is never evaluated.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';
import { functions } from '../../functions/graph.ts';
import { bundle, common, entriesOf, ROOT } from './bundle.ts';
import { type Entry, file } from './layers/entry.ts';
import type { Part } from './start.ts';

const IN_CLUSTER = 'functions/in-cluster';
const ENTRIES = `${IN_CLUSTER}/entries`;
/** Ends by itself, and before it has much to load. */
const STEP = 'step';
const KUBECONFIG = { name: 'kubeconfig', code: `export * from './shared/kubernetes/client/kubeconfig.ts';\n` };

/** Everything in /app: the processes of the graph, and those that stand in entries. */
export async function bundleProgram(root = ROOT): Promise<Entry[]> {
  const files = readdirSync(join(root, ENTRIES)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const edges = files.map((name) => name.slice(0, -3)).filter((name) => name !== STEP);
  const apart = await bundle([{ name: STEP, code: `import './${ENTRIES}/${STEP}.ts';\n` }, KUBECONFIG], root);
  const starters = [...Object.keys(functions).map((name) => starter(name, 'functions')), ...edges.map((name) => starter(name, 'edges'))];
  const scripts = await Promise.all([script('tidemill', programOf(edges), root), script('start', `export * from './knative/image/start.ts';\n`, root)]);
  return [...apart, ...starters, ...scripts.flat()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function starter(name: string, part: Part): Entry {
  const start = `process.getBuiltinModule('node:module').createRequire(import.meta.url)('./start.cjs').start`;
  return file(`app/${name}.mjs`, `${start}(import.meta.dirname, '${part}', '${name}');\n`);
}

function programOf(edges: readonly string[]): string {
  const handlers = Object.keys(functions).map((name) => `  '${name}': () => import('./functions/${name}/handler.ts'),`);
  const others = edges.map((name) => `  '${name}': () => import('./${ENTRIES}/${name}.ts'),`);
  return `import { runFunction } from './${IN_CLUSTER}/function.ts';
import { kinds } from './shared/objects/kinds.ts';
import { eventData } from './shared/events/types.ts';
const handlers = {
${handlers.join('\n')}
};
const edges = {
${others.join('\n')}
};
export const start = async (name) => (handlers[name] ? runFunction(name, (await handlers[name]()).handle) : edges[name]());
export const rehearse = async (part) => {
  for (const load of Object.values(handlers)) await load();
  await import('./shared/knative/broker.ts');
  for (const kind of Object.values(kinds)) for (const schema of [kind.spec, kind.status]) schema.safeParse({});
  for (const schema of Object.values(eventData)) schema.safeParse({});
  if (part === 'edges') await import('./shared/s3/sdk.ts');
};
`;
}

/** A script of Node's older kind, which V8 can keep the code of. What reads a kubeconfig is much, and needed nowhere in a pod: it stays outside. */
async function script(name: string, code: string, root: string): Promise<Entry[]> {
  const options: BuildOptions = {
    ...common([{ name, code }], root),
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    supported: { 'dynamic-import': false },
    minifyWhitespace: true,
  };
  return entriesOf(
    { ...options, plugins: [kubeconfigOutside, ...(options.plugins ?? [])], define: { ...options.define, 'import.meta.url': '__filename' } },
    root,
  );
}

const kubeconfigOutside: Plugin = {
  name: 'kubeconfig outside',
  setup: (build) => {
    build.onResolve({ filter: /\/kubeconfig\.ts$/ }, () => ({ path: './kubeconfig.mjs', external: true }));
  },
};
