import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SpecOf } from '../objects/kinds.ts';
import { type Stage, stages as stagesSchema } from '../objects/pipeline.ts';
import { planFiles, planPipeline, type Planned } from './plan.ts';

type Project = SpecOf<'Project'>;

const SHA = 'a'.repeat(40);
const URL = 'https://git.example.org/o/r.git';

/** A repository as path → text; plans it as the function artifact-resolved does. */
async function plan(files: Record<string, string>, project: Partial<Project> = {}, pipeline?: Stage[]) {
  const spec: Project = { source: { url: URL }, ...project };
  const read: string[] = [];
  const list = async (path: string) => {
    const prefix = path === '' ? '' : `${path}/`;
    const below = Object.keys(files).filter((name) => name.startsWith(prefix));
    const names = below.map((name) => name.slice(prefix.length)).map((name) => (name.includes('/') ? `${name.split('/')[0]}/` : name));
    return below.length || path === '' ? [...new Set(names)] : undefined;
  };
  const found = await planFiles(spec, {
    list,
    read: async (path) => {
      read.push(path);
      return files[path] === undefined ? undefined : Buffer.from(files[path]);
    },
  });
  return { read, planned: planPipeline({ project: spec, files: found, sha: SHA, ...(pipeline && { pipeline }) }) };
}

async function planned(...args: Parameters<typeof plan>): Promise<Planned> {
  const result = (await plan(...args)).planned;
  if ('error' in result) throw new Error(result.error);
  expect(stagesSchema.safeParse(result.stages).error).toBeUndefined();
  return result;
}

async function refused(...args: Parameters<typeof plan>): Promise<string> {
  const result = (await plan(...args)).planned;
  return 'error' in result ? result.error : `not refused: ${JSON.stringify(result)}`;
}

const QUIET_NPM = ['audit', 'fund', 'update_notifier'].map((setting) => ({ name: `npm_config_${setting}`, value: 'false' }));
const pkg = (more: object = {}) => JSON.stringify({ name: 'site', version: '1.0.0', scripts: { build: 'vite build' }, ...more });
const task = (result: Planned) => result.stages[0]!.steps[0]!.taskSpec;
const names = (result: Planned) => task(result).steps.map((step) => step.name);
const scriptOf = (result: Planned, name: string) => task(result).steps.find((step) => step.name === name)?.script ?? '';

describe('what a repository without a plan is built with', () => {
  it.each([
    [{ 'package-lock.json': '' }, {}, 'npm ci', 'npm run build'],
    [{ 'npm-shrinkwrap.json': '' }, {}, 'npm ci', 'npm run build'],
    [{ 'pnpm-lock.yaml': '' }, {}, 'pnpm install --frozen-lockfile', 'pnpm run build'],
    [{ 'yarn.lock': '' }, {}, 'yarn install $options', 'yarn run build'],
    [{ 'yarn.lock': '', '.yarnrc.yml': '' }, {}, 'yarn install --immutable', 'yarn run build'],
    [{ 'yarn.lock': '' }, { packageManager: 'yarn@4.5.0' }, 'yarn install --immutable', 'yarn run build'],
    [{ 'yarn.lock': '' }, { packageManager: 'yarn@1.22.22' }, 'yarn install --frozen-lockfile', 'yarn run build'],
    [{}, {}, 'npm install', 'npm run build'],
    [{}, { packageManager: 'pnpm@9.1.0+sha512.abc' }, 'pnpm install', 'pnpm run build'],
    [{ 'package-lock.json': '', 'pnpm-lock.yaml': '' }, { packageManager: 'pnpm@9.1.0' }, 'pnpm install --frozen-lockfile', 'pnpm run build'],
  ])('%j with %j: %s, then %s', async (files, more, install, build) => {
    const result = await planned({ 'package.json': pkg(more), ...files });
    expect(names(result)).toEqual(['source', 'install', 'build', 'output']);
    expect(scriptOf(result, 'install')).toContain(`\n${install}`);
    expect(scriptOf(result, 'build')).toContain(`\n${build}`);
  });

  it('brings pnpm and yarn by npx in the version that is wanted, where they are not there', async () => {
    expect(scriptOf(await planned({ 'package.json': pkg({ packageManager: 'pnpm@9.1.0+sha512.abc' }), 'pnpm-lock.yaml': '' }), 'build')).toContain(
      'version=9.1.0',
    );
    expect(scriptOf(await planned({ 'package.json': pkg({ packageManager: 'yarn@4.5.0' }), 'yarn.lock': '' }), 'install')).toContain('@yarnpkg/cli-dist@4.5.0');
    expect(scriptOf(await planned({ 'package.json': pkg(), 'yarn.lock': '' }), 'install')).toMatch(
      /package=@yarnpkg\/cli-dist@4 options='--immutable'; else package=yarn@1/,
    );
  });

  it('takes nothing of packageManager into the shell but a version', async () => {
    for (const declared of ['pnpm@9;touch /tmp/x', 'pnpm@$(id)', 'pnpm@1`id`', 'yarn@4 && id', 'pnpm@9-a"b']) {
      const result = await planned({ 'package.json': pkg({ packageManager: declared }), 'pnpm-lock.yaml': '' });
      expect(scriptOf(result, 'install')).not.toMatch(/touch|id\b|`/);
    }
  });

  it('runs in CI, in the folder of the front end, installing where the lock file is', async () => {
    const result = await planned(
      { 'package.json': pkg(), 'package-lock.json': '', 'apps/web/package.json': pkg() },
      { build: { directory: 'apps/web', env: { BASE: '/x' }, timeout: '5m' } },
    );
    const [, install, build, output] = task(result).steps;
    expect(install!.workingDir).toBe('$(workspaces.source.path)');
    expect(build!.workingDir).toBe('$(workspaces.source.path)/apps/web');
    expect(build!.env).toEqual([{ name: 'CI', value: 'true' }, { name: 'TIDEMILL_COMMIT', value: SHA }, ...QUIET_NPM, { name: 'BASE', value: '/x' }]);
    expect(JSON.parse(output!.args![1]!)).toEqual({ directory: 'apps/web' });
    expect(result.stages[0]!.steps[0]!.timeout).toBe('5m');
  });

  it('releases an index.html as it is, also beside a package.json that builds nothing', async () => {
    const repositories: Record<string, string>[] = [
      { 'index.html': '' },
      { 'index.html': '', 'package.json': pkg({ scripts: { test: 'x' } }) },
      { 'index.html': '', 'package.json': '{}' },
    ];
    for (const files of repositories) {
      const result = await planned(files);
      expect(names(result)).toEqual(['source', 'output']);
      expect(JSON.parse(task(result).steps[1]!.args![1]!)).toEqual({ output: '.' });
    }
  });

  it('does what is configured, and leaves out what is configured away', async () => {
    const made = await planned({ Makefile: '' }, { build: { build: 'make site', output: 'out' } });
    expect(names(made)).toEqual(['source', 'build', 'output']);
    expect(scriptOf(made, 'build')).toBe('#!/bin/sh\nset -e\nmake site\n');
    expect(names(await planned({ 'package.json': pkg() }, { build: { install: '' } }))).toEqual(['source', 'build', 'output']);
    expect(names(await planned({ 'package.json': pkg(), 'index.html': '' }, { build: { build: '' } }))).toEqual(['source', 'output']);
    expect(names(await planned({ 'docs/a.html': '' }, { build: { output: 'docs' } }))).toEqual(['source', 'output']);
  });

  it('says what was looked for where there is nothing', async () => {
    expect(await refused({ 'README.md': '' })).toMatch(/Neither package.json nor index.html is in the root.*\.tidemill\.yaml/);
    expect(await refused({ 'package.json': '{}' })).toMatch(/no "build" script/);
    expect(await refused({ 'package.json': '{' })).toMatch(/package.json is not JSON/);
    expect(await refused({ 'package.json': '{"scripts": 7}' })).toMatch(/package.json is not what npm expects: scripts/);
    expect(await refused({ 'index.html': '' }, { build: { directory: 'web' } })).toMatch(/no folder "web"/);
    expect(await refused({ 'index.html': '' }, { build: { directory: '$(params.x)' } })).toMatch(/\$\(/);
    expect(await refused({ '.tidemill.yml': '' })).toMatch(/rename it to .tidemill.yaml/);
  });
});

describe('stages of a user', () => {
  const step = (more: object = {}) => ({ name: 'make', taskSpec: { steps: [{ name: 'make', image: 'alpine', script: 'make' }] }, ...more });
  const stage = (...steps: object[]) => [{ name: 'one', steps }] as Stage[];

  it('win in this order: the project, its pipeline, the repository', async () => {
    const files = { '.tidemill.yaml': 'stages: [{ name: c, steps: [{ name: c, taskSpec: { steps: [{ image: x, script: c }] } }] }]' };
    const a = stage(step());
    const b = [{ ...stage(step())[0]!, name: 'b' }];
    expect((await planned(files, { stages: a, pipeline: 'p' }, b)).stages[0]!.name).toBe('one');
    expect((await planned(files, { pipeline: 'p' }, b)).stages[0]!.name).toBe('b');
    expect((await planned(files)).stages[0]!.name).toBe('c');
    expect((await planned(files)).definedBy).toContain('.tidemill.yaml of the repository at aaaaaaaaaaaa');
    expect(await refused(files, { pipeline: 'p' })).toMatch(/pipeline p, which does not exist/);
  });

  it('get the source before, work in it, and get the output after where one is named', async () => {
    const result = await planned({}, { stages: stage(step({ output: 'dist' }), step({ name: 'other' })) });
    expect(names(result)).toEqual(['source', 'make', 'output']);
    expect(task(result).steps[1]!.workingDir).toBe('$(workspaces.source.path)');
    expect(task(result).workspaces).toEqual([{ name: 'source' }]);
    expect(task(result).results!.map((one) => one.name)).toEqual(['manifest', 'archive', 'files', 'size', 'packageVersion']);
    expect(JSON.parse(task(result).steps[2]!.args![1]!)).toEqual({ output: 'dist' });
    const other = result.stages[0]!.steps[1]!.taskSpec;
    expect(other.steps.map((one) => one.name)).toEqual(['source', 'make']);
    expect(other.results).toBeUndefined();
  });

  it('keep the names of their own steps and their own folders', async () => {
    const own = {
      name: 'make',
      output: true,
      taskSpec: {
        workspaces: [{ name: 'source' }],
        steps: [
          { name: 'source', image: 'x', script: '', workingDir: '/x' },
          { name: 'output', ref: { name: 'action' } },
        ],
      },
    };
    const result = await planned({}, { stages: stage(own) });
    expect(names(result)).toEqual(['tidemill-source', 'source', 'output', 'tidemill-output']);
    expect(task(result).steps.map((one) => one.workingDir)).toEqual([undefined, '/x', undefined, undefined]);
    expect(task(result).workspaces).toEqual([{ name: 'source' }]);
  });

  it('are refused where they could not run, by name', async () => {
    const with_ = (more: object) => ({ ...step(), taskSpec: { ...step().taskSpec, ...more } });
    expect(await refused({}, { stages: stage(with_({ workspaces: [{ name: 'cache' }] })) })).toMatch(/one\/make: the workspace "cache"/);
    expect(await planned({}, { stages: stage(with_({ workspaces: [{ name: 'cache', optional: true }] })) })).toBeTruthy();
    expect(await refused({}, { stages: stage(step({ output: '../x' })) })).toMatch(/output "\.\.\/x"/);
    expect(await refused({}, { stages: stage({ ...with_({ results: [{ name: 'size' }] }), output: true }) })).toMatch(/result "size"/);
    expect(await refused({}, { stages: stage(step({ output: true }), step({ name: 'b', output: true })) })).toMatch(/one\/make and one\/b both have an output/);
  });

  it('read nothing of the repository when it has no say', async () => {
    expect((await plan({ '.tidemill.yaml': 'x', 'package.json': 'x' }, { stages: stage(step()) })).read).toEqual([]);
  });
});

describe('.tidemill.yaml', () => {
  it.each([
    ['build:\n  outputs: dist', ':2:3: build: there is no "outputs"'],
    ['build:\n  output: ../x\n', ':2:11: build.output: must be a relative path'],
    ['site:\n  keepVersions: many', ':2:17: site.keepVersions: '],
    ['branches: [main]', ':1:1: "branches" belongs to the project'],
    ['build: {\n', ':2:1: '],
    ['a: 1\na: 2', ':2:1: Map keys must be unique'],
    ['stages:\n  - name: one\n    steps:\n      - name: UPPER\n        taskSpec: {steps: [{image: x}]}', ':4:15: stages.0.steps.0.name: must be lower-case'],
    ['stages:\n  - name: one\n', ':2:5: stages.0.steps: '],
    ['- a', ':1:1: '],
    ['--- 1\n--- 2', ':2:'],
  ])('%j is refused with %s', async (text, message) => {
    expect(await refused({ '.tidemill.yaml': text })).toContain(`.tidemill.yaml${message}`);
  });

  it('gives settings, over which those of the project win', async () => {
    const text = 'build:\n  directory: web\n  output: out\n  env: { A: "1", B: "1" }\nsite: { fallback: spa, keepVersions: 2 }\n';
    const result = await planned(
      { '.tidemill.yaml': text, 'web/package.json': pkg() },
      { build: { output: 'dist', env: { B: '2' } }, site: { keepVersions: 9 } },
    );
    const [, , build, output] = task(result).steps;
    expect(build!.env).toEqual([
      { name: 'CI', value: 'true' },
      { name: 'TIDEMILL_COMMIT', value: SHA },
      ...QUIET_NPM,
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]);
    expect(JSON.parse(output!.args![1]!)).toEqual({ directory: 'web', output: 'dist' });
    expect(result.site).toEqual({ fallback: 'spa', keepVersions: 9 });
  });

  it('may be empty', async () => {
    expect(names(await planned({ '.tidemill.yaml': '# nothing\n', 'index.html': '' }))).toEqual(['source', 'output']);
  });

  it('is bounded in size, depth and aliases', async () => {
    expect(await refused({ '.tidemill.yaml': `# ${'x'.repeat(300_000)}` })).toMatch(/300002 characters/);
    expect(await refused({ '.tidemill.yaml': '['.repeat(100_000) })).toMatch(/nested/);
    expect(await refused({ '.tidemill.yaml': '- '.repeat(100_000) })).toMatch(/nested/);
    expect(await refused({ '.tidemill.yaml': Array.from({ length: 200 }, (_, i) => `${' '.repeat(i)}a:`).join('\n') })).toMatch(/nested/);
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...Array.from({ length: 9 }, (_, i) => `${'bcdefghij'[i]}: &${'bcdefghij'[i]} [${Array(10).fill(`*${'abcdefghi'[i]}`).join(',')}]`),
    ];
    expect(await refused({ '.tidemill.yaml': bomb.join('\n') })).toMatch(/alias|there is no/i);
  });

  it('never pollutes a prototype', async () => {
    expect(await refused({ '.tidemill.yaml': '__proto__: { polluted: 1 }' })).toMatch(/__proto__|there is no/);
    expect(await refused({ '.tidemill.yaml': 'build: { env: { __proto__: x } }', 'README.md': '' })).toBeTruthy();
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it('is a plan or an error with a place, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ unit: 'binary' }), fc.json({ maxDepth: 4 }), fc.string({ unit: fc.constantFrom(...'ab:-[]{}&* \n"|>') })),
        async (text) => {
          const { planned: result } = await plan({ '.tidemill.yaml': text, 'index.html': '' });
          if ('error' in result) expect(result.error).toMatch(/^\.tidemill\.yaml[ :]/);
          else expect(stagesSchema.safeParse(result.stages).success).toBe(true);
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('what is planned', () => {
  it('holds no variable of Tekton that came from an address or a name', async () => {
    const result = await planned({ 'index.html': '' }, { source: { url: 'https://git.example.org/$(params.x)/r', credential: 'c', submodules: true } });
    const args = task(result).steps[0]!.args!;
    expect(args[1]).not.toContain('$(');
    expect(JSON.parse(args[1]!)).toEqual({ url: 'https://git.example.org/$(params.x)/r', sha: SHA, credential: 'c', submodules: true });
  });

  it('is the same for the same files, and reads at most four of them', async () => {
    const file = fc.constantFrom(
      'package.json',
      'index.html',
      'yarn.lock',
      'pnpm-lock.yaml',
      'package-lock.json',
      '.yarnrc.yml',
      'a/b.txt',
      'web/package.json',
      'web/index.html',
    );
    const directory = fc.constantFrom(undefined, 'web', 'web/', 'a', 'none');
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(file), directory, fc.boolean(), async (present, where, builds) => {
        const files = Object.fromEntries(present.map((path) => [path, path.endsWith('package.json') ? pkg(builds ? {} : { scripts: {} }) : '']));
        const project = where === undefined ? {} : { build: { directory: where } };
        const [one, other] = [await plan(files, project), await plan(files, project)];
        expect(one).toEqual(other);
        expect(one.read.length).toBeLessThanOrEqual(4);
        if ('error' in one.planned) expect(one.planned.error.length).toBeGreaterThan(30);
        else expect(stagesSchema.safeParse(one.planned.stages).success).toBe(true);
      }),
    );
  });
});
