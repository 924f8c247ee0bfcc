import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projectName } from '../shared/objects/project.ts';
import { projectNameOf, sourceUrl } from './source.ts';

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tidemill-source-')));
  mkdirSync(join(folder, 'site'));
  writeFileSync(join(folder, 'file'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('sourceUrl', () => {
  test.each(['https://github.com/you/docs.git', 'ssh://git@host/x', 'git@github.com:you/docs.git', 'ext::sh -c id'])(
    '%s stays as it is, for the server to judge',
    (address) => {
      expect(sourceUrl(address, folder)).toBe(address);
    },
  );

  test('a path becomes whole', () => {
    expect(sourceUrl('site', folder)).toBe(join(folder, 'site'));
    expect(sourceUrl('./site/', folder)).toBe(join(folder, 'site'));
    expect(sourceUrl(join(folder, 'site'), '/')).toBe(join(folder, 'site'));
  });

  test('what is not there, and what is a file, is said', () => {
    expect(() => sourceUrl('nothing', folder)).toThrow(/no folder .*nothing/);
    expect(() => sourceUrl('file', folder)).toThrow(/not a folder/);
  });
});

describe('projectNameOf', () => {
  test.each([
    ['/home/me/My Site', 'my-site'],
    ['/home/me/site/', 'site'],
    ['https://github.com/you/Docs.git', 'docs'],
    ['git@github.com:you/docs.git', 'docs'],
    ['git@host:docs', 'docs'],
    ['/x/Überblick_2', 'uberblick-2'],
    [`/x/${'a'.repeat(80)}`, 'a'.repeat(40)],
    [`/x/${'a'.repeat(39)}.b`, 'a'.repeat(39)],
  ])('%s is %s', (source, name) => {
    expect(projectNameOf(source)).toBe(name);
    expect(projectName.safeParse(name).success).toBe(true);
  });

  test('where nothing is left, a name is asked for', () => {
    expect(() => projectNameOf('/x/日本')).toThrow('Give one');
  });
});
