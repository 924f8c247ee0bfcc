import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { label as labelSchema, name as nameSchema } from '../objects/fields.ts';
import { projectName } from '../objects/project.ts';
import {
  branchRef,
  dnsLabel,
  environmentOf,
  executionName,
  isTag,
  laneName,
  productionBranch,
  pushName,
  releaseName,
  shortRef,
  siteName,
  sourceName,
  taskRunName,
} from './names.ts';

const branch = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }),
  fc.string({ unit: fc.constantFrom(...'aAbxn01-_/.'), minLength: 1, maxLength: 80 }),
  fc.constantFrom(
    'feature/x',
    'feature-x',
    'Feature-x',
    'feature_x',
    'feature.x',
    'feature--x',
    '-feature-x',
    'xn',
    'xn--a',
    'ünïcode',
    '機能',
    '😀',
    'a'.repeat(63),
    'a'.repeat(64),
    'a'.repeat(200),
  ),
);
const project = fc.string({ unit: fc.constantFrom(...'abz019-'), minLength: 1, maxLength: 40 }).filter((text) => projectName.safeParse(text).success);
const isLabel = (text: string) => expect(labelSchema.safeParse(text).success, text).toBe(true);
const isName = (text: string) => expect(nameSchema.safeParse(text).success, text).toBe(true);

describe('dnsLabel', () => {
  it.each([
    ['main', 'main'],
    ['v1', 'v1'],
    ['feature-x', 'feature-x'],
  ])('keeps %s', (text, label) => {
    expect(dnsLabel(text)).toBe(label);
  });

  it.each([
    ['feature/x', /^feature-x-[0-9a-z]{6}$/],
    ['Feature-X', /^feature-x-[0-9a-z]{6}$/],
    ['機能', /^x-[0-9a-z]{6}$/],
    ['', /^x-[0-9a-z]{6}$/],
    ['---', /^x-[0-9a-z]{6}$/],
  ])('adds a hash to %s', (text, label) => {
    expect(dnsLabel(text)).toMatch(label);
  });

  it('is always a DNS label of the length asked for, and without two "-" in a row', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 10, max: 63 }), (text, max) => {
        const label = dnsLabel(text, max);
        isLabel(label);
        expect(label.length).toBeLessThanOrEqual(max);
        expect(label).not.toContain('--');
      }),
    );
  });

  it('differs for names that differ, in case, in Unicode, in what stands between', () => {
    fc.assert(
      fc.property(branch, branch, (a, b) => {
        fc.pre(a !== b);
        expect(dnsLabel(a)).not.toBe(dnsLabel(b));
      }),
    );
  });
});

describe('refs', () => {
  it('have short names, and full ones again', () => {
    expect(['refs/heads/a/b', 'refs/tags/v1', 'refs/pull/1/head', 'main'].map(shortRef)).toEqual(['a/b', 'v1', 'refs/pull/1/head', 'main']);
    expect([branchRef('a/b'), branchRef('refs/tags/v1')]).toEqual(['refs/heads/a/b', 'refs/tags/v1']);
    expect([isTag('refs/tags/v1'), isTag('refs/heads/refs/tags/v1')]).toEqual([true, false]);
  });
});

describe('lanes', () => {
  it('are one for each branch, one for the tags and one for commits', () => {
    fc.assert(
      fc.property(project, branch, branch, (of, a, b) => {
        const lanes = [laneName(of, `refs/heads/${a}`), laneName(of, `refs/heads/${b}`), laneName(of, `refs/tags/${a}`), laneName(of, 'f'.repeat(40))];
        lanes.forEach(isName);
        expect(new Set(lanes).size).toBe(a === b ? 3 : 4);
        expect(laneName(of, `refs/tags/${b}`)).toBe(lanes[2]);
      }),
    );
  });

  it('of two projects are never the same', () => {
    fc.assert(
      fc.property(project, project, branch, (a, b, ref) => {
        fc.pre(a !== b);
        expect(laneName(a, `refs/heads/${ref}`)).not.toBe(laneName(b, `refs/heads/${ref}`));
      }),
    );
  });
});

describe('executions and what belongs to them', () => {
  it('have names that Kubernetes takes, derived from their cause', () => {
    fc.assert(
      fc.property(project, fc.string(), (of, cause) => {
        const execution = executionName(of, cause);
        isLabel(execution);
        expect(executionName(of, cause)).toBe(execution);
        expect(executionName(of, `${cause}.`)).not.toBe(execution);
        isName(sourceName(execution));
        isName(siteName(taskRunName(execution, 'build', 'site')));
      }),
    );
  });

  it('have one TaskRun for each step of each stage: no two of one name', () => {
    const part = fc.string({ unit: fc.constantFrom(...'ab-'), minLength: 1, maxLength: 40 }).filter((text) => labelSchema.safeParse(text).success);
    fc.assert(
      fc.property(project, fc.tuple(part, part), fc.tuple(part, part), (of, a, b) => {
        const execution = executionName(of, 'push-1');
        const [first, second] = [taskRunName(execution, ...a), taskRunName(execution, ...b)];
        isLabel(first);
        if (a.join('/') !== b.join('/')) expect(first).not.toBe(second);
      }),
    );
  });

  it.each([
    [
      ['a-b', 'c'],
      ['a', 'b-c'],
    ],
    [
      ['x'.repeat(40), 'y'.repeat(40)],
      ['x'.repeat(40), `${'y'.repeat(39)}z`],
    ],
  ] as [[string, string], [string, string]][])('tell %j from %j', (a, b) => {
    expect(taskRunName('site-0123456789', ...a)).not.toBe(taskRunName('site-0123456789', ...b));
  });

  it('are named plainly where nothing is in the way', () => {
    expect(taskRunName('site-0123456789', 'build', 'site')).toBe('site-0123456789-build-site');
  });
});

describe('pushes', () => {
  it('are one for each move, whatever way the repository is spelled, and count when it is made again', () => {
    const name = (url: string, occurrence = 0) => pushName(url, 'refs/heads/main', 'a'.repeat(40), 'b'.repeat(40), occurrence);
    isName(name('/r'));
    expect(name('git@github.com:Acme/Site.git')).toBe(name('https://github.com/acme/site'));
    expect(name('https://github.com/acme/other')).not.toBe(name('https://github.com/acme/site'));
    expect(name('/r', 1)).toBe(`${name('/r')}-1`);
  });
});

describe('environments and the hosts of releases', () => {
  const host = (of: string, ref: string, production = 'main') => releaseName(of, environmentOf(ref, production));

  it('are production for its branch and a preview for every other', () => {
    expect(environmentOf('refs/heads/main', 'main')).toBe('production');
    expect(environmentOf('refs/heads/production', 'main')).toBe('preview-production');
    expect(host('site', 'refs/heads/main')).toBe('site');
    expect(host('site', 'refs/heads/next')).toBe('next--site');
  });

  it('are DNS labels that a browser takes as they are, and no two branches or projects share one', () => {
    fc.assert(
      fc.property(fc.tuple(project, branch), fc.tuple(project, branch), (a, b) => {
        const hosts = [a, b].map(([of, ref]) => host(of, `refs/heads/${ref}`));
        for (const each of hosts) {
          isLabel(each);
          expect(new URL(`http://${each}.localhost:8787/`).hostname).toBe(`${each}.localhost`);
        }
        for (const [, ref] of [a, b]) isName(environmentOf(`refs/heads/${ref}`, 'main'));
        if (a.join('\0') !== b.join('\0')) expect(hosts[0]).not.toBe(hosts[1]);
      }),
      { numRuns: 500 },
    );
  });

  it('leave no project a name that is the preview of another', () => {
    expect(projectName.safeParse(host('site', 'refs/heads/next')).success).toBe(false);
    expect(projectName.safeParse('xn--site').success).toBe(false);
  });

  it('have room for long branches of long projects', () => {
    const long = 'p'.repeat(40);
    const [a, b] = [host(long, `refs/heads/${'b'.repeat(70)}`), host(long, `refs/heads/${'b'.repeat(71)}`)];
    isLabel(a);
    expect(a).not.toBe(b);
  });
});

describe('productionBranch', () => {
  const source = { url: '/r' };
  it("is the project's own word, else the repository's default, else main", () => {
    expect(productionBranch({ spec: { source: { ...source, branch: 'live' } }, status: { defaultBranch: 'master' } })).toBe('live');
    expect(productionBranch({ spec: { source }, status: { defaultBranch: 'master' } })).toBe('master');
    expect(productionBranch({ spec: { source } })).toBe('main');
  });
});
