import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareBytes } from '../storage/keys.ts';
import { decodeManifest, encodeManifest, manifestOf, type SiteFile } from './manifest.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;
const file = (path: string): SiteFile => ({ path, digest, size: 1 });

describe('manifest', () => {
  it('is the same bytes for the same files in any order', () => {
    const names = fc.uniqueArray(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((name) => !/[/\\\p{Cc}]|^\.+$/u.test(name)),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(names, fc.infiniteStream(fc.nat()), (paths, random) => {
        const files = paths.map(file);
        const shuffled = files.toSorted(() => ((random.next().value as number) % 3) - 1);
        const bytes = encodeManifest(manifestOf(files));
        expect(encodeManifest(manifestOf(shuffled)).equals(bytes)).toBe(true);
        expect(encodeManifest(decodeManifest(bytes)).equals(bytes)).toBe(true);
      }),
    );
  });

  it('orders paths as their bytes are ordered', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
  });

  it.each([
    [[file('../x')], 'has a ".."'],
    [[file('/x')], 'begins or ends with "/"'],
    [[file('a'), file('a')], 'twice'],
    [[file('a'), file('a/b')], 'is below "a"'],
    [[{ path: 'l', symlink: '../x' }], 'outside the tree'],
    [[{ path: 'l', symlink: '/etc/passwd' }], 'absolute'],
    [[], 'at least one'],
  ] as [SiteFile[], string][])('refuses %j', (files, why) => expect(() => manifestOf(files)).toThrow(why));

  it.each([
    '',
    '[]',
    '{"version":1}',
    '{"version":2,"files":[{"path":"a","symlink":"b"}]}',
    `{"version":1,"files":[{"path":"a","digest":"md5:0","size":1}]}`,
    `{"version":1,"files":[{"path":"a","digest":"${digest}","size":-1}]}`,
  ])('does not take %j for one', (text) => expect(() => decodeManifest(Buffer.from(text))).toThrow('Not a site'));

  it('refuses one that is not in its canonical form', () => {
    const bytes = encodeManifest(manifestOf([file('b'), file('a')])).toString();
    expect(() => decodeManifest(Buffer.from(`${bytes} `))).toThrow('canonical');
    expect(() => decodeManifest(Buffer.from(JSON.stringify({ version: 1, files: [file('b'), file('a')] })))).toThrow('canonical');
  });

  it('takes 100,000 files, and not one more', () => {
    const files = Array.from({ length: 100_000 }, (_, i) => file(`d${i % 100}/f${i}`));
    expect(decodeManifest(encodeManifest(manifestOf(files))).files).toHaveLength(100_000);
    expect(() => manifestOf([...files, file('more')])).toThrow('may have 100000 files');
  });
});
