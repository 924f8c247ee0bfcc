// Who may import what. The first rule whose `from` matches a file judges its imports.
import { edges, functions } from '../../functions/graph.ts';
import { isCode, isTest } from './files.ts';
import { resolveSpecifier, specifiers } from './imports.ts';

/** Data and thought: no clock, no I/O, no adapter. */
const PURE = ['shared/events/', 'shared/objects/', 'shared/decisions/', 'shared/ports/'];
/** What a handler leans on: its contract, and what several handlers do with the ports they are given. Not the host that runs them. */
const HANDLER_HELP = ['shared/host/', 'shared/site/'];
const HOST = ['shared/host/host.ts', 'shared/host/machine/file-secrets.ts', 'shared/host/machine/data-folder.ts', 'shared/host/machine/server-info.ts'];
/** What adapters and their users agree on: how a step is called, what may be stored in any store. Pure, though it stands in an adapter's folder. */
const CONVENTIONS = [
  'shared/runner/builtin.ts',
  'shared/runner/events.ts',
  'shared/runner/engine/lines.ts',
  'shared/runner/task/merge.ts',
  'shared/runner/task/spec.ts',
  'shared/storage/keys.ts',
  'shared/storage/tree-rules.ts',
  'shared/storage/gate.ts',
];
/** Reaches the machine by itself, beside the ports. */
const MACHINE_MODULES = /^node:(fs|child_process|worker_threads|cluster|sqlite|net|http|https|http2|tls|dgram|dns|os|process|vm|repl|inspector)(\/|$)/;

export interface Rule {
  /** For whom, as said in the error. */
  name: string;
  from: RegExp;
  /** Prefixes of project files that may be imported; `./` stands for the file's own folder (for functions: `functions/<name>/`). */
  may: readonly string[] | 'anything';
  /** Prefixes that may not, though `may` has them. */
  mayNot?: readonly string[];
  /** Node modules and packages that may not be imported. */
  notPackages?: RegExp;
  why: string;
}

const anyOf = (names: readonly string[]) => `(${names.join('|')})`;
const ADAPTERS = ['shared/store/', 'shared/storage/', 'shared/git/', 'shared/runner/', 'shared/host/machine/file-secrets.ts'];

export const rules: readonly Rule[] = [
  {
    name: 'a test',
    from: /(\.test\.ts$|^test\/|^shared\/[^/]+\/test\/)/,
    may: 'anything',
    why: '',
  },
  {
    name: 'the graph',
    from: /^functions\/graph\.ts$/,
    may: ['shared/events/', 'shared/objects/'],
    why: 'the wiring table names event types and nothing else',
  },
  {
    name: 'an event function that sends to the network',
    from: /^functions\/hook-delivery\//,
    may: [...PURE, ...HANDLER_HELP, 'functions/graph.ts', './'],
    mayNot: HOST,
    notPackages: /^node:(fs|child_process|worker_threads|cluster|sqlite)(\/|$)/,
    why: 'an event function reaches the world through the ports that the graph grants it, and the URL of its hook',
  },
  {
    name: 'an event function',
    from: new RegExp(`^functions/${anyOf(Object.keys(functions))}/`),
    may: [...PURE, ...HANDLER_HELP, 'functions/graph.ts', './'],
    mayNot: HOST,
    notPackages: MACHINE_MODULES,
    why: 'an event function reaches the world through the ports that the graph grants it, and through nothing else',
  },
  {
    name: 'a function that answers HTTP',
    from: new RegExp(`^functions/${anyOf(Object.keys(edges))}/`),
    may: ['shared/', 'functions/graph.ts', './'],
    mayNot: ADAPTERS,
    why: 'it is given its ports, so that the same function runs on other adapters',
  },
  {
    name: 'a composition',
    from: /^functions\/(one-machine|in-cluster)\//,
    may: ['shared/', 'functions/'],
    why: 'it wires functions to adapters, and needs no command and no test for that',
  },
  {
    name: 'events and objects',
    from: /^shared\/(events|objects)\//,
    may: ['shared/events/', 'shared/objects/'],
    notPackages: MACHINE_MODULES,
    why: 'schemas are data, and what runs in every place',
  },
  {
    name: 'a port',
    from: /^shared\/ports\//,
    may: ['shared/events/', 'shared/objects/', 'shared/ports/'],
    notPackages: /^node:(?!stream)/,
    why: 'a port says what is promised, and not by whom',
  },
  {
    name: 'a decision',
    from: /^shared\/decisions\//,
    may: PURE,
    notPackages: MACHINE_MODULES,
    why: 'decisions are pure functions, so that they can be tested by their properties',
  },
  ...['store', 'storage', 'git', 'runner'].map((adapter): Rule => ({
    name: `the adapter ${adapter}`,
    from: new RegExp(`^shared/${adapter}/`),
    may: ['shared/'],
    mayNot: ADAPTERS.filter((other) => other !== `shared/${adapter}/`),
    why: 'an adapter can be replaced alone, so none leans on another',
  })),
  {
    name: 'shared code',
    from: /^shared\//,
    may: ['shared/'],
    mayNot: ADAPTERS,
    why: 'what functions are made of is given its ports, and never knows the functions',
  },
  {
    name: 'the command that runs a Task without a server',
    from: /^cli\/(commands\/task-run|task-run\/)/,
    may: ['cli/', ...PURE, 'shared/runner/', 'shared/tekton/', 'shared/kubernetes/client/'],
    why: "it is a runner with a command line, the local one or a cluster's",
  },
  {
    name: 'the command that starts the server',
    from: /^cli\/commands\/server/,
    may: ['cli/', ...PURE, 'functions/one-machine/', 'functions/api/', 'shared/host/machine/', 'shared/host/log/', 'package.json'],
    why: 'what it starts is wired in functions/one-machine',
  },
  {
    name: 'what installs and examines',
    from: /^cli\/(install\/|commands\/(install|uninstall|doctor))/,
    may: ['cli/', ...PURE, 'knative/generate/', 'shared/kubernetes/client/', 'shared/s3/', 'shared/jetstream/', 'package.json'],
    why: 'it applies what is generated, and asks the cluster and its servers by their own adapters',
  },
  {
    name: 'the command line',
    from: /^cli\//,
    // Of the API its types, and of the data folder where the server is to be found.
    may: [
      'cli/',
      ...PURE,
      'functions/api/',
      'shared/host/machine/data-folder.ts',
      'shared/host/machine/server-info.ts',
      'functions/one-machine/start.ts',
      'package.json',
    ],
    why: 'it is a typed client of the API; of the server it knows only how to start it',
  },
  {
    name: 'the maker of the image',
    from: /^knative\/image\//,
    may: ['knative/image/', 'functions/graph.ts', 'package.json'],
    why: 'it bundles the functions, and is none of them',
  },
  {
    name: 'the generators',
    from: /^(eventing|knative\/generate)\//,
    may: ['eventing/', 'knative/generate/', ...PURE, 'functions/graph.ts', 'package.json'],
    why: 'what is generated comes from the graph and the schemas',
  },
];

/** A sentence for each import that crosses a boundary. */
export function crossings(files: readonly string[], read: (file: string) => string): string[] {
  return files.filter((file) => isCode(file) && /^(functions|shared|cli|eventing|knative|test)\//.test(file)).flatMap((file) => crossingsOf(file, read(file)));
}

function crossingsOf(file: string, code: string): string[] {
  const rule = rules.find((r) => r.from.test(file));
  if (!rule || rule.may === 'anything') return [];
  return specifiers(file, code)
    .filter((specifier) => !allowed(rule, file, specifier))
    .map((specifier) => `${file} imports ${specifier}, which ${rule.name} may not: ${rule.why}`);
}

function allowed(rule: Rule, file: string, specifier: string): boolean {
  const target = resolveSpecifier(file, specifier);
  if (!specifier.startsWith('.')) return !rule.notPackages?.test(target);
  if (CONVENTIONS.includes(target)) return true;
  if (isTest(target) || target.startsWith('test/')) return false;
  const starts = (prefix: string) => target.startsWith(prefix === './' ? ownFolder(file) : prefix);
  return rule.may !== 'anything' && rule.may.some(starts) && !rule.mayNot?.some(starts);
}

function ownFolder(file: string): string {
  return `${file.split('/').slice(0, 2).join('/')}/`;
}

/** What would make a decision depend on when or where it is made. */
const IMPURE = [/\bDate\.now\(/, /\bnew Date\(\s*\)/, /\bMath\.random\(/, /\bprocess\./, /\bfetch\(/, /\bset(Timeout|Interval|Immediate)\(/, /\brandomUUID\(/];

/** A sentence for each clock, dice or environment that code which promises to be pure looks at. */
export function impurities(files: readonly string[], read: (file: string) => string): string[] {
  const pure = files.filter((file) => isCode(file) && !isTest(file) && /^shared\/(decisions|events|objects)\//.test(file));
  return pure.flatMap((file) => {
    const code = read(file).replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');
    return IMPURE.flatMap((pattern) => pattern.exec(code)?.[0] ?? []).map((found) => `${file} uses ${found}…: it takes the time and all else as arguments`);
  });
}
