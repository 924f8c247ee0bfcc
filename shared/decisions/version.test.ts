import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nthVersion, versionName } from './version.ts';

const source = (ref?: string) => ({ ref, sha: '0123456789abcdef0123456789abcdef01234567', commitTime: '2026-11-03T12:34:56Z' });
const tag = (name: string) => versionName(source(`refs/tags/${name}`), '9.9.9');

describe('versionName', () => {
  it.each([
    ['v1.2.3', 'v1.2.3'],
    ['release/1', 'release-1'],
    ['v1.0.0+build_7', 'v1.0.0+build_7'],
    ['été', '-t-'],
    ['😀', '--'],
    ['a b$(x)`y`', 'a-b--x--y-'],
    ['archive', 'v-archive'],
    ['Archive', 'v-Archive'],
    ['ARCHIVE', 'v-ARCHIVE'],
    ['archives', 'archives'],
    ['.', 'v--'],
    ['..', 'v---'],
    ['...', 'v----'],
    ['v..1', 'v..1'],
  ])('of the tag %s is %s', (name, version) => {
    expect(tag(name)).toBe(version);
  });

  it('of a branch is the package version, the time of the commit in UTC, and the short SHA', () => {
    expect(versionName(source('refs/heads/main'), '1.4.0')).toBe('1.4.0-20261103123456-0123456');
    expect(versionName({ ...source(), commitTime: '2026-11-03T00:30:00+02:00' }, '1.4.0')).toBe('1.4.0-20261102223000-0123456');
  });

  it.each([undefined, ''])('of a package without a version (%j) begins with 0.0.0', (version) => {
    expect(versionName(source('refs/heads/main'), version)).toBe('0.0.0-20261103123456-0123456');
  });

  it('differs between two commits of one package version', () => {
    const other = { ...source('refs/heads/main'), sha: 'f'.repeat(40) };
    expect(versionName(other, '1.0.0')).not.toBe(versionName(source('refs/heads/main'), '1.0.0'));
  });

  it('sorts as the commits do, within one package version', () => {
    const time = fc
      .date({ min: new Date('1970-01-01'), max: new Date('2999-12-31'), noInvalidDate: true })
      .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));
    fc.assert(
      fc.property(time, time, (a, b) => {
        const [va, vb] = [a, b].map((date) => versionName({ ...source(), commitTime: date.toISOString() }, '1.0.0')) as [string, string];
        expect(Math.sign(a.getTime() - b.getTime())).toBe(va < vb ? -1 : va > vb ? 1 : 0);
      }),
    );
  });

  it('is a name that any store takes, of any tag and any package version', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }),
        fc.option(fc.string({ unit: 'binary', maxLength: 200 }), { nil: undefined }),
        (name, version) => {
          for (const made of [tag(name), versionName(source('refs/heads/x'), version), nthVersion(tag(name), 999)]) {
            expect(made).toMatch(/^[A-Za-z0-9._+-]{1,128}$/);
            expect(made).not.toMatch(/^\.*$/);
            expect(made.toLowerCase()).not.toBe('archive');
          }
        },
      ),
    );
  });

  it('keeps a tag of ordinary characters as it is', () => {
    const ordinary = fc.string({ unit: fc.constantFrom(...'abzAZ019._+-'), minLength: 1, maxLength: 120 }).filter((name) => !/^\.+$|^archive$/i.test(name));
    fc.assert(
      fc.property(ordinary, (name) => {
        expect(tag(name)).toBe(name);
      }),
    );
  });
});

describe('nthVersion', () => {
  it('counts rebuilds with other content from the second', () => {
    expect([0, 1, 2].map((n) => nthVersion('1.0.0', n))).toEqual(['1.0.0', '1.0.0.2', '1.0.0.3']);
  });
});
