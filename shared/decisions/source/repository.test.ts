import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalRepository } from './repository.ts';

const segment = fc.stringMatching(/^[a-z0-9_-][a-z0-9_.-]{0,12}$/).filter((name) => !name.endsWith('.git') && !name.startsWith('~'));
const host = fc.constantFrom('github.com', 'git.example.org', '10.0.0.7', '[::1]', 'localhost');

/** Spellings that forges themselves give and people type. */
function spellings(at: string, owner: string, name: string): string[] {
  const bare = [`https://${at}/${owner}/${name}`, `http://${at}/${owner}/${name}`, `https://${at.toUpperCase()}:443/${owner}/${name}`];
  const ssh = [`ssh://git@${at}/${owner}/${name}`, `ssh://git@${at}:22/${owner}/${name}`, `git@${at}:${owner}/${name}`, `git@${at}:/${owner}/${name}`];
  const more = [
    `git://${at}/${owner}/${name}`,
    `git+ssh://git@${at}/${owner}/${name}`,
    `https://someone@${at}/${owner}/${name}`,
    `org-12@${at}:${owner}/${name}`,
  ];
  return [...bare, ...ssh, ...more].flatMap((url) => [url, `${url}.git`, `${url}/`, `${url}.git/`]);
}

describe('canonicalRepository', () => {
  it('gives all spellings of a repository one address', () => {
    fc.assert(
      fc.property(host, segment, segment, (at, owner, name) => {
        expect(new Set(spellings(at, owner, name).map(canonicalRepository))).toEqual(new Set([canonicalRepository(`https://${at}/${owner}/${name}`)]));
      }),
    );
  });

  it('keeps two repositories apart', () => {
    fc.assert(
      fc.property(segment, segment, segment, (owner, one, other) => {
        fc.pre(one !== other);
        expect(canonicalRepository(`git@git.example.org:${owner}/${one}`)).not.toBe(canonicalRepository(`https://git.example.org/${owner}/${other}`));
      }),
    );
  });

  it('gives its own result back, and never throws, whatever it is given', () => {
    const anything = fc.oneof(
      fc.webUrl(),
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.tuple(host, segment, segment).map(([h, o, n]) => `git@${h}:${o}/${n}.git`),
    );
    fc.assert(
      fc.property(anything, (url) => {
        const canonical = canonicalRepository(url);
        expect(canonicalRepository(canonical)).toBe(canonical);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['https://github.com/Octo/Hello.git', 'https://github.com/octo/hello'],
    ['git@github.com:octo/hello.git', 'https://github.com/octo/hello'],
    ['ssh://git@ssh.github.com:443/octo/hello.git', 'https://github.com/octo/hello'],
    ['https://git.example.org/Octo/Hello', 'https://git.example.org/Octo/Hello'],
    ['ssh://git@git.example.org:2222/o/r.git', 'https://git.example.org:2222/o/r'],
    ['https://git.example.org:8443/o/r', 'https://git.example.org:8443/o/r'],
    ['alice@host:repo.git', 'ssh://alice@host/~/repo'],
    ['ssh://alice@host/~/repo', 'ssh://alice@host/~/repo'],
    ['git@host:repo.git', 'https://host/repo'],
    ['/srv/site', '/srv/site'],
    ['/srv//site/', '/srv/site'],
    ['/srv/site/.git', '/srv/site'],
    ['/srv/site.git', '/srv/site.git'],
    ['file:///srv/my%20site', '/srv/my site'],
    ['file://localhost/srv/site', '/srv/site'],
    ['C:\\work\\site', 'C:/work/site'],
    ['https://host/a%2Db/c', 'https://host/a-b/c'],
    ['https://host./a/b', 'https://host/a/b'],
    ['nonsense', 'nonsense'],
  ])('%s → %s', (url, canonical) => {
    expect(canonicalRepository(url)).toBe(canonical);
  });

  it('does not take one user for another on a plain ssh server', () => {
    expect(canonicalRepository('alice@host:site')).not.toBe(canonicalRepository('bob@host:site'));
  });
});
