import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { edges, functions } from '../functions/graph.ts';
import { arrows, diagram, road, shortName } from './diagram.ts';
import { between, drift, generate, generatedFiles } from './generate.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-generate-'));
  const root = resolve(import.meta.dirname, '..');
  for (const file of generatedFiles) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('what was just generated has not drifted, and generating again writes nothing', () => {
  generate(folder);
  expect(drift(folder)).toEqual([]);
  expect(generate(folder)).toEqual([]);
});

test('an edit by hand inside the marks is drift, and generating mends it', () => {
  generate(folder);
  const page = join(folder, 'README.md');
  const good = readFileSync(page, 'utf8');
  writeFileSync(page, good.replace('flowchart TB', 'flowchart LR'));
  expect(drift(folder)).toEqual([expect.stringContaining('README.md is out of date')]);
  expect(generate(folder)).toEqual(['README.md']);
  expect(readFileSync(page, 'utf8')).toBe(good);
});

test('a file that is made no more is drift, and generating takes it away', () => {
  generate(folder);
  const file = 'knative/overlays/knative/functions/long-gone.yaml';
  writeFileSync(join(folder, file), 'kind: Service');
  expect(drift(folder)).toEqual([`${file} is not generated any more: run npm run generate`]);
  expect(generate(folder)).toEqual([file]);
  expect(drift(folder)).toEqual([]);
});

test('a page without its marks is an error that says where to put them', () => {
  expect(() => between('# nothing', 'diagram', 'x')).toThrow(/diagram:begin/);
});

test('every function is in the diagram, and every arrow joins an emitter to a consumer', () => {
  const drawn = diagram();
  for (const name of [...Object.keys(functions), ...Object.keys(edges)]) expect(drawn).toContain(`"${name}"`);
  expect(arrows()).toContainEqual({ from: 'git-push', to: 'artifact-requested', types: ['artifact.requested'] });
  expect(arrows()).toContainEqual({ from: 'runner', to: 'taskrun-finished', types: ['taskrun.successful', 'taskrun.failed'] });
});

test('the road of a push goes from a webhook to a site', () => {
  expect(road()).toMatch(/github-webhook -- [^]* --> git-push[^]* release-requested -\. [^]* \.-> site/);
});

test('names of types are shortened to what tells them apart', () => {
  expect(shortName('dev.tidemill.artifact.requested.v1')).toBe('artifact.requested');
  expect(shortName('dev.tekton.event.taskrun.failed.v1')).toBe('taskrun.failed');
});
