// Where credentials go, and where they never do.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kindOf } from '../../test/contracts/git.ts';
import { makeRepository, type TestRepository } from '../../test/contracts/git-repository.ts';
import { type GitServer, type GitServerOptions, startGitServer } from '../../test/contracts/git-server.ts';
import type { Git, GitCredential } from '../ports/git.ts';
import { createGit } from './git.ts';

const SECRET = 'S3cr3t-$(id)-"quoted\'';
const basic = { username: 'robot', password: SECRET };

let folder: string;
let origin: TestRepository;
let sha: string;
let servers: { close(): Promise<void> }[];
const PATH = process.env.PATH;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-credentials-'));
  origin = await makeRepository(join(folder, 'origin'));
  sha = await origin.commit({ a: 'a' });
  servers = [];
});

afterEach(async () => {
  process.env.PATH = PATH;
  for (const server of servers) await server.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

function adapter(credential: GitCredential | undefined, timeout_ms = 20_000): Git {
  const credentials = async () => credential ?? Promise.reject(new Error('there is none'));
  return createGit({ directory: join(folder, 'held'), timeout_ms, credentials });
}

async function serve(options: Partial<GitServerOptions> = {}): Promise<GitServer> {
  const server = await startGitServer({ root: folder, ...options });
  servers.push(server);
  return server;
}

async function allFiles(): Promise<string> {
  const entries = await readdir(join(folder, 'held'), { recursive: true, withFileTypes: true });
  const files = await Promise.all(entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')));
  return files.join('\n') + entries.map((entry) => entry.name).join('\n');
}

const encoded = [SECRET, encodeURIComponent(SECRET), Buffer.from(`robot:${SECRET}`).toString('base64')];

describe('a user name and password', () => {
  it('open a repository, and are left in no file and no error', async () => {
    const server = await serve({ basic });
    const git = adapter({ type: 'basic', host: server.host, ...basic });
    const repository = { url: `${server.url}/origin`, credential: 'robot' };
    expect((await git.resolve(repository, 'main')).sha).toBe(sha);
    await git.heads(repository);
    await git.checkout(repository, sha, join(folder, 'out'));
    const error: unknown = await git.resolve(repository, 'nope').catch((thrown: unknown) => thrown);
    for (const form of encoded) {
      expect(await allFiles()).not.toContain(form);
      expect(String(error)).not.toContain(form);
    }
  });

  it('that are wrong, or missing, are told apart from a server that is away', async () => {
    const server = await serve({ basic });
    const url = `${server.url}/origin`;
    const wrong = adapter({ type: 'basic', host: server.host, username: 'robot', password: 'wrong-secret' });
    const error: unknown = await wrong.resolve({ url, credential: 'robot' }, 'main').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'denied' });
    expect(String(error)).not.toContain('wrong-secret');
    expect(await kindOf(adapter(undefined).resolve({ url }, 'main'))).toBe('denied');
    await expect(adapter(undefined).resolve({ url, credential: 'gone' }, 'main')).rejects.toThrow(/credential gone cannot be had: there is none/);
  });

  it('are not sent to a server that a user chose', async () => {
    const server = await serve();
    for (const host of ['github.com', '127.0.0.1', 'localhost', `127.0.0.1:${Number(server.host.split(':')[1]) + 1}`]) {
      const git = adapter({ type: 'basic', host, ...basic });
      expect(await kindOf(git.resolve({ url: `${server.url}/origin`, credential: 'robot' }, 'main'))).toBe('refused');
    }
    expect(server.requests).toEqual([]);
  });

  it('are not sent on where the server redirects to another', async () => {
    const thief = await serve({ basic: { username: 'x', password: 'y' } });
    const first = await serve({
      before(request, response) {
        if (!request.url!.startsWith('/origin/info/refs')) return false;
        response.writeHead(302, { location: `${thief.url}${request.url}` }).end();
        return true;
      },
    });
    const git = adapter({ type: 'basic', host: first.host, ...basic });
    expect(await kindOf(git.resolve({ url: `${first.url}/origin`, credential: 'robot' }, 'main'))).not.toBe('no error');
    expect(thief.requests.length).toBeGreaterThan(0);
    expect(thief.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });

  it('are not sent on even after the first server has taken them', async () => {
    const thief = await serve();
    const first = await serve({
      before(request, response) {
        if (!request.headers.authorization) return Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end());
        return Boolean(response.writeHead(307, { location: `${thief.url}${request.url}` }).end());
      },
    });
    const git = adapter({ type: 'basic', host: first.host, ...basic });
    await git.resolve({ url: `${first.url}/origin`, credential: 'robot' }, 'main').catch(() => {});
    expect(first.requests.some(({ headers }) => headers.authorization)).toBe(true);
    expect(thief.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });

  it('of the machine and its user are nobody’s to use', async () => {
    const server = await serve({ basic });
    const home = join(folder, 'home');
    await mkdir(home);
    await writeFile(join(home, '.netrc'), `machine 127.0.0.1 login robot password ${basic.password}\n`, { mode: 0o600 });
    await writeFile(join(home, '.gitconfig'), `[url "${server.url}/"]\n\tinsteadOf = https://example.invalid/\n`);
    const before = process.env.HOME;
    process.env.HOME = home;
    try {
      expect(await kindOf(adapter(undefined).resolve({ url: `${server.url}/origin` }, 'main'))).toBe('denied');
    } finally {
      process.env.HOME = before;
    }
    expect(server.requests.filter(({ headers }) => headers.authorization)).toEqual([]);
  });

  it('stand in no argument list of any process while they are used', async () => {
    const seen: string[] = [];
    // Holds the request that carries the credential, and looks at every process of this machine meanwhile.
    const server = await serve({
      before(request, response) {
        if (!request.headers.authorization) return Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end());
        for (const line of spawnSync('ps', ['axww', '-o', 'args'], { encoding: 'utf8' }).stdout.split('\n')) seen.push(line);
        return true;
      },
    });
    const git = adapter({ type: 'basic', host: server.host, ...basic }, 1500);
    expect(await kindOf(git.resolve({ url: `${server.url}/origin`, credential: 'robot' }, 'main'))).toBe('unreachable');
    expect(seen.some((line) => line.includes('git') && line.includes('fetch'))).toBe(true);
    for (const form of encoded) expect(seen.filter((line) => line.includes(form))).toEqual([]);
  });

  it('with a line break in them are refused: they would be told as more than they are', async () => {
    const server = await serve();
    const git = adapter({ type: 'basic', host: server.host, username: 'robot', password: 'x\nhost=evil' });
    expect(await kindOf(git.resolve({ url: `${server.url}/origin`, credential: 'robot' }, 'main'))).toBe('refused');
  });

  it('keep what they opened from those who name no credential', async () => {
    const server = await serve({ basic });
    const git = adapter({ type: 'basic', host: server.host, ...basic });
    const url = `${server.url}/origin`;
    await git.resolve({ url, credential: 'robot' }, sha);
    expect(await kindOf(git.resolve({ url }, sha))).toBe('denied');
    expect(await kindOf(git.readFile({ url }, sha, 'a'))).toBe('denied');
  });

  it('go with submodules on the same host, and not with those on another', async () => {
    const library = await makeRepository(join(folder, 'library'));
    const at = await library.commit({ 'lib.js': 'lib' });
    const other = await serve();
    const server = await serve({ basic });
    const modules = (url: string) => ({ '.gitmodules': `[submodule "x"]\n\tpath = lib\n\turl = ${url}\n` });
    origin.git('update-index', '--add', '--cacheinfo', `160000,${at},lib`);
    const git = adapter({ type: 'basic', host: server.host, ...basic });
    const repository = { url: `${server.url}/origin`, credential: 'robot', submodules: true };
    for (const [url, into] of [
      ['../library', 'one'],
      [`${other.url}/library`, 'two'],
    ] as const) {
      await writeFile(join(origin.path, '.gitmodules'), modules(url)['.gitmodules']);
      origin.git('add', '.gitmodules');
      origin.git('commit', '-qm', into);
      await git.checkout(repository, origin.git('rev-parse', 'HEAD'), join(folder, into));
      expect(await readFile(join(folder, into, 'lib', 'lib.js'), 'utf8')).toBe('lib');
    }
    expect(other.requests.length).toBeGreaterThan(0);
    expect(other.requests.filter(({ headers }) => headers.authorization)).toEqual([]);
  });
});

describe('a key for ssh', () => {
  const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nnot-really-a-key\n-----END OPENSSH PRIVATE KEY-----';

  /** Stands in for ssh: notes how it was called, then runs the command that it was to run on the other machine, here. */
  async function fakeSsh(): Promise<() => { args: string[]; mode: string; key: string }> {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const note = join(folder, 'called');
    const script = `#!/bin/sh
printf '%s\\n' "$@" >${note}
for arg; do case "$arg" in IdentityFile=none) ;; IdentityFile=*) f=\${arg#IdentityFile=}; f=\${f#\\"}; f=\${f%\\"}; stat -c %a "$f" >${note}.mode; cat "$f" >${note}.key ;; esac; last=$arg; done
exec sh -c "$last"
`;
    await writeFile(join(bin, 'ssh'), script);
    await chmod(join(bin, 'ssh'), 0o755);
    process.env.PATH = `${bin}${delimiter}${PATH}`;
    return () => ({
      args: readFileSync(note, 'utf8').split('\n'),
      mode: readFileSync(`${note}.mode`, 'utf8').trim(),
      key: readFileSync(`${note}.key`, 'utf8'),
    });
  }

  it('is handed over in a file for its owner only, which is gone afterwards', async () => {
    const called = await fakeSsh();
    const git = adapter({ type: 'ssh', host: 'git.example.org', privateKey: key });
    const repository = { url: `git@git.example.org:${origin.path}`, credential: 'deploy' };
    expect((await git.resolve(repository, 'main')).sha).toBe(sha);
    await git.checkout(repository, sha, join(folder, 'out'));
    const { args, mode, key: given } = called();
    expect(mode).toBe('600');
    expect(given).toBe(`${key}\n`);
    expect(args).toEqual(
      expect.arrayContaining([
        '-F',
        '/dev/null',
        'BatchMode=yes',
        'StrictHostKeyChecking=accept-new',
        'IdentitiesOnly=yes',
        'IdentityAgent=none',
        'git@git.example.org',
      ]),
    );
    expect(args.join('\n')).toMatch(/UserKnownHostsFile=".*\/ssh\/known_hosts"/);
    expect(args.join('\n')).not.toContain('not-really-a-key');
    expect(await allFiles()).not.toContain('not-really-a-key');
  });

  it('is for its host and for ssh only', async () => {
    await fakeSsh();
    const ssh = adapter({ type: 'ssh', host: 'git.example.org', privateKey: key });
    expect(await kindOf(ssh.resolve({ url: `git@other.example.org:${origin.path}`, credential: 'c' }, 'main'))).toBe('refused');
    expect(await kindOf(ssh.resolve({ url: `ssh://git@git.example.org:2222${origin.path}`, credential: 'c' }, 'main'))).toBe('refused');
    expect(await kindOf(ssh.resolve({ url: `https://git.example.org/x`, credential: 'c' }, 'main'))).toBe('refused');
    const token = adapter({ type: 'basic', host: 'git.example.org', ...basic });
    expect(await kindOf(token.resolve({ url: `git@git.example.org:${origin.path}`, credential: 'c' }, 'main'))).toBe('refused');
  });

  it('that a killed process left is removed at the next start', async () => {
    await fakeSsh();
    await mkdir(join(folder, 'held', 'keys', 'key-left'), { recursive: true });
    await writeFile(join(folder, 'held', 'keys', 'key-left', 'key'), 'left');
    await adapter({ type: 'ssh', host: 'git.example.org', privateKey: key }).resolve(
      { url: `git@git.example.org:${origin.path}`, credential: 'deploy' },
      'main',
    );
    expect(await readdir(join(folder, 'held', 'keys'))).toEqual([]);
  });

  it('is none where no credential is named: the server’s own is not used', async () => {
    const bin = join(folder, 'bin');
    await fakeSsh();
    await adapter(undefined).resolve({ url: `git@git.example.org:${origin.path}` }, 'main');
    expect(readFileSync(join(folder, 'called'), 'utf8')).toContain('IdentityFile=none');
    expect(bin).toBeTruthy();
  });
});

describe('a proxy or server that answers nonsense', () => {
  it('ends in an error, and never in a hang or a crash', async () => {
    for (const answer of ['', 'HTTP/1.1 200 OK\r\n\r\n', 'garbage', '001e# service=git-upload-pack\n0000fffe']) {
      const server = createServer((_request, response) =>
        response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' }).end(answer),
      );
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
      expect(await kindOf(adapter(undefined, 3000).resolve({ url }, 'main'))).not.toMatch(/^no/);
      server.closeAllConnections();
      server.close();
    }
  });
});
