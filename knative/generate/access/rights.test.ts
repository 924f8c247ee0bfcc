import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { edges, functions } from '../../../functions/graph.ts';
import { kinds } from '../../../shared/objects/kinds.ts';
import { projectFiles } from '../../../test/house/files.ts';
import { resolveSpecifier, specifiers } from '../../../test/house/imports.ts';
import { DONE_BY } from '../workloads/workloads.ts';
import { INSTALLATION, isMarker, MARKER } from '../../../shared/objects/project-namespace.ts';
import { type Rights, rights, type Thing, type Verb } from './rights.ts';
import { projectRoles, roles } from './roles.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const read = (file: string) => readFileSync(resolve(ROOT, file), 'utf8');

/** What a module needs of other modules when it runs: types are taken out first. */
function imports(file: string): string[] {
  const code = read(file).replaceAll(/^import type [^;]*;$/gm, '');
  return specifiers(file, code).flatMap((specifier) => (specifier.startsWith('.') && specifier.endsWith('.ts') ? [resolveSpecifier(file, specifier)] : []));
}

/** A function's modules, those that handlers share, and nothing of the adapters. */
function closure(starts: readonly string[]): string[] {
  const found = new Set<string>();
  const visit = (file: string) => {
    if (found.has(file) || !/^(functions|shared\/(host|site))\//.test(file)) return;
    found.add(file);
    imports(file).forEach(visit);
  };
  starts.forEach(visit);
  return [...found];
}

const KIND = String.raw`(?:<[^>()]*>)?\(\s*(?:[\w.]+,\s*)?'(\w+)'`;
const CALLS: [Verb[], RegExp][] = [
  [['get'], new RegExp(String.raw`objects\.get${KIND}`, 'g')],
  [['list'], new RegExp(String.raw`(?:objects\.list|\beachObject)${KIND}`, 'g')],
  [['watch'], new RegExp(String.raw`objects\.watch${KIND}`, 'g')],
  [['delete'], new RegExp(String.raw`objects\.delete${KIND}`, 'g')],
  [['get', 'status'], new RegExp(String.raw`\bmodifyStatus${KIND}`, 'g')],
  // A new object: one that is there already is read, to see whether it has its status.
  [['create', 'get'], /\bkind: '(\w+)',\s*metadata/g],
];

const rowOf = (name: string): Rights => (rights as Readonly<Record<string, Rights>>)[name] ?? {};
const doneBy = (name: string): string | undefined => (DONE_BY as Readonly<Record<string, string>>)[name];

/** What the code says that it does with objects: `Kind verb`. */
function uses(files: readonly string[]): string[] {
  const found = files.flatMap((file) => {
    const code = read(file);
    return CALLS.flatMap(([verbs, pattern]) => [...code.matchAll(pattern)].flatMap((match) => verbs.map((verb) => `${match[1]} ${verb}`)));
  });
  return [...new Set(found)].filter((use) => use.split(' ')[0]! in kinds).toSorted();
}

function granted({ cluster = {}, project = {}, system = {} }: Rights): string[] {
  return [cluster, project, system].flatMap((table) => Object.entries(table).flatMap(([thing, verbs]) => verbs.map((verb) => `${thing} ${verb}`)));
}

const ofFolder = (name: string) => projectFiles().filter((file) => file.startsWith(`functions/${name}/`) && file.endsWith('.ts') && !file.endsWith('.test.ts'));

test.each(Object.keys(functions))('%s may do what its code does', (name) => {
  const missing = uses(closure([`functions/${name}/handler.ts`])).filter((use) => !granted(rowOf(name)).includes(use));
  expect(missing).toEqual([]);
});

test.each(Object.keys(edges).filter((name) => !(name in DONE_BY)))('%s may do what its code does', (name) => {
  const by = Object.keys(DONE_BY).filter((done) => doneBy(done) === name);
  const missing = uses([name, ...by].flatMap(ofFolder)).filter((use) => !granted(rowOf(name)).includes(use));
  expect(missing).toEqual([]);
});

/** What a function may do beyond the literal calls of its code, and why. */
const BEYOND: Partial<Record<Thing, string>> = {
  Credential: 'git takes the credential of the repository; the runner asks what Secrets they are kept in',
  Hook: 'the runner asks what Secrets hooks are kept in, as no build may name them',
  Secret: 'the value of a credential, or of a hook, stands there',
  TaskRun: 'the runner starts, looks at and ends TaskRuns',
  StepAction: 'the runner looks which Secrets those name that a build refers to',
  ProjectNamespace: 'a list of all namespaces keeps to those of this installation',
};

test.each(Object.keys(functions))('%s may do no more than its code and its ports do', (name) => {
  const files = closure([`functions/${name}/handler.ts`]);
  const code = files.map(read).join('\n');
  const mayBe = new Set(uses(files));
  // The object that the event is about has its status written by the host: which one stands in no call, but it has been read.
  const more = granted(rowOf(name)).filter((right) => {
    const [thing, verb] = right.split(' ') as [Thing, Verb];
    if (thing in BEYOND) return false;
    if (verb === 'status') return !mayBe.has(`${thing} get`) || !/\bstatus\b/.test(code);
    // A kind whose name stands in no literal call is asked for by a helper that takes it as an argument.
    return !mayBe.has(right) && !new RegExp(`'${thing}'`).test(code);
  });
  expect(more).toEqual([]);
});

test.each(Object.entries(functions))('%s reads secrets only if the graph gives it secrets or git', (name, { needs }) => {
  const ports: readonly string[] = needs;
  expect(granted(rowOf(name)).some((right) => right.startsWith('Secret'))).toBe(ports.includes('secrets') || ports.includes('git'));
  expect(granted(rowOf(name)).some((right) => right.startsWith('TaskRun'))).toBe(ports.includes('runner'));
});

/** What starts TaskRuns asks which Secrets they may not name; who only ends them needs neither. */
test.each(Object.entries(functions).filter(([, { needs }]) => (needs as readonly string[]).includes('runner')))(
  '%s may start TaskRuns only if it does',
  (name) => {
    const handler = closure([`functions/${name}/handler.ts`]).filter((file) => file.startsWith('functions/'));
    const starts = handler.some((file) => /\b(?:startStage|beginExecution|runner\.start)\(/.test(read(file)));
    const given = granted(rowOf(name));
    expect(given.includes('TaskRun create')).toBe(starts);
    expect(given).toEqual(expect.arrayContaining(['TaskRun get', 'TaskRun patch', ...(starts ? ['Credential list', 'Hook list', 'StepAction get'] : [])]));
    if (!starts) expect(given.filter((right) => /^(Credential|Hook|StepAction) /.test(right))).toEqual([]);
  },
);

test('every process has its row, and no row is of a process that is none', () => {
  const processes = [...Object.keys(functions), ...Object.keys(edges)].filter((name) => !(name in DONE_BY));
  expect(Object.keys(rights).toSorted()).toEqual(processes.toSorted());
});

test('nothing is written but where the installation was told to: what holds in every namespace is to look', () => {
  for (const [name, { cluster = {} }] of Object.entries<Rights>(rights)) {
    const { TokenReview, ...others } = cluster;
    expect(TokenReview ?? ['create'], name).toEqual(['create']);
    expect(new Set(['list', 'watch', ...Object.values(others).flat()]), name).toEqual(new Set(['list', 'watch']));
  }
});

test('what tells a namespace of projects is a binding that every one of them has, and who looks for it sees no other', () => {
  const objects = projectRoles('shop', 'mill');
  const marker = objects.find(({ kind, metadata }) => kind === 'RoleBinding' && metadata.name === MARKER);
  expect(marker).toMatchObject({ metadata: { namespace: 'shop', labels: { [INSTALLATION]: 'mill' } } });
  expect(isMarker(marker as never, 'mill')).toBe(true);
  expect(isMarker(marker as never, 'other')).toBe(false);
  expect(isMarker({ ...marker, roleRef: { kind: 'ClusterRole', name: 'edit' } } as never, 'mill')).toBe(false);
  const rules = roles('mill').flatMap((role) => (role['rules'] ?? []) as { resources: string[]; resourceNames?: string[] }[]);
  const bindings = rules.filter(({ resources }) => resources.includes('rolebindings'));
  expect(bindings.length).toBeGreaterThan(0);
  for (const rule of bindings) expect(rule).toMatchObject({ resources: ['rolebindings'], resourceNames: [MARKER] });
});

test('nobody writes secrets but the API and, to take away what a hook left, the watcher; nobody reads them in every namespace', () => {
  for (const [name, { cluster, project, system }] of Object.entries<Rights>(rights)) {
    expect(cluster?.Secret, name).toBeUndefined();
    expect(system?.Secret, name).toBeUndefined();
    if (name !== 'api' && name !== 'watcher') expect(project?.Secret ?? ['get'], name).toEqual(['get']);
  }
});
