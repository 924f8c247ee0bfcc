// The image as a whole: the same bytes twice, nothing in it that should not be, and everything in it runs where functions run.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isElf, needs } from '../../knative/image/base/elf.ts';
import { type Built, buildImage } from '../../knative/image/build.ts';
import { openCache } from '../../knative/image/cache.ts';
import type { Entry } from '../../knative/image/layers/entry.ts';
import { imageOf } from '../../knative/image/oci/image.ts';
import { pushImage } from '../../knative/image/oci/push.ts';
import { parseReference } from '../../knative/image/oci/reference.ts';
import { bundleProgram } from '../../knative/image/program.ts';
import { workloads } from '../../knative/generate/workloads/workloads.ts';
import { anywhere } from '../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../shared/kubernetes/client/client.ts';
import { fromEnv } from './env.ts';

const LONG_MS = 300_000;
const MAX_BYTES = 64e6;
const namespace = `image-${randomBytes(3).toString('hex')}`;
let folder: string;
let client: KubeClient;
let built: Built;
let app: Entry[];

const quiet = () => {};

beforeAll(async () => {
  fromEnv('KUBECONFIG');
  client = createKubeClient({ connect: anywhere() });
  folder = await mkdtemp(join(tmpdir(), 'tidemill-image-'));
  app = await bundleProgram();
  built = await buildImage('linux/amd64', app, openCache(), quiet);
}, LONG_MS);
afterAll(async () => {
  await client.request('DELETE', `/api/v1/namespaces/${namespace}`).catch(() => undefined); // it may never have been made
  client.close();
  await rm(folder, { recursive: true, force: true });
});

interface Found {
  name: string;
  type: string;
  mode: number;
  link: string;
  body: Buffer;
}

async function files(): Promise<Found[]> {
  const found: Found[] = [];
  for (const { body } of built.layers) {
    const tar = extract();
    Readable.from([gunzipSync(body)]).pipe(tar);
    for await (const entry of tar) {
      const { name, type, mode, linkname, uid, gid, mtime } = entry.header;
      expect({ name, uid, gid, mtime: mtime?.getTime() }).toEqual({ name, uid: 0, gid: 0, mtime: 0 });
      found.push({ name: name.replace(/\/$/, ''), type: type ?? '', mode, link: linkname ?? '', body: await buffer(entry) });
    }
  }
  return found;
}

test('made again from nothing, with every package fetched anew, it has the same digest', { timeout: LONG_MS }, async () => {
  const again = await buildImage('linux/amd64', await bundleProgram(), openCache(join(folder, 'cache')), quiet);
  expect(again.manifest.digest).toBe(built.manifest.digest);
});

test('it is small, runs as nobody in particular, and says which version it is', () => {
  const size = built.layers.reduce((sum, { body }) => sum + body.length, 0);
  expect(size).toBeLessThan(MAX_BYTES);
  const { config } = JSON.parse(String(built.config.body)) as { config: { User: string; Entrypoint: string[]; Labels: Record<string, string>; Env: string[] } };
  expect(config).toMatchObject({ User: '65532:65532', Entrypoint: ['/usr/bin/node'], WorkingDir: '/' });
  expect(config.Labels['org.opencontainers.image.version']).toMatch(/^\d+\.\d+\.\d+$/);
});

test('every process of both overlays is in it, and everything that a program is linked to', { timeout: LONG_MS }, async () => {
  const all = await files();
  const names = new Set(all.map(({ name }) => name));
  const processes = [...workloads('knative'), ...workloads('jetstream')].map(({ name }) => `app/${name}.mjs`);
  expect([...names]).toEqual(
    expect.arrayContaining([
      ...processes,
      'app/edges.code',
      'app/functions.code',
      'app/step.mjs',
      'etc/ssl/certs/ca-certificates.crt',
      'usr/bin/sh',
      'usr/bin/git',
      'usr/bin/ssh',
    ]),
  );
  // Only /tmp can be written to by all, and nothing gives more rights than who runs it has.
  const writable = all.filter(({ type, mode }) => type !== 'symlink' && (mode & 0o022) !== 0);
  expect(writable.map(({ name, mode }) => [name, mode])).toEqual([['tmp', 0o1777], ['var/tmp', 0o1777]]); // prettier-ignore
  expect(all.filter(({ type, mode }) => type === 'file' && (mode & 0o6000) !== 0)).toEqual([]);
  const programs = all.filter(({ type, body }) => type === 'file' && isElf(body));
  expect(programs.length).toBeGreaterThan(30);
  const missing = programs.flatMap(({ name, body }) => {
    const { libraries, loader } = needs(body);
    const wanted = [
      ...libraries.filter((library) => !library.startsWith('ld-')).map((library) => `usr/lib/x86_64-linux-gnu/${library}`),
      ...(loader ? [`usr${loader}`] : []),
    ];
    return wanted.filter((path) => !names.has(path)).map((path) => `${name} wants ${path}`);
  });
  expect(missing).toEqual([]);
  // Debian's own folders of programs and libraries are links: a layer with folders of those names would hide them.
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    expect(all.filter((file) => file.name === name)).toMatchObject([{ type: 'symlink', link: `usr/${name}` }]);
  expect(all.filter(({ name }) => /^(bin|sbin|lib|lib64)\//.test(name))).toEqual([]);
});

/** Runs in the pod, and says as JSON what it found. */
const PROBE = `
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const said = (command, ...args) => { const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, HOME: '/tmp' } }); return (stdout + stderr).trim() + ' [' + status + ']'; };
const cached = () => new (require('node:vm').Script)('(function (exports, require, module) {' + fs.readFileSync('/app/tidemill.cjs', 'latin1') + String.fromCharCode(10) + '})', { cachedData: fs.readFileSync('/app/functions.code') });
const refused = (path) => { try { fs.writeFileSync(path, 'x'); return 'written'; } catch (error) { return error.code; } };
console.log(JSON.stringify({
  node: process.version, user: require('node:os').userInfo().username, uid: process.getuid(),
  git: said('git', '--version'), ssh: said('ssh', '-V'), sh: said('sh', '-c', 'echo hello'),
  https: said('git', 'ls-remote', 'https://127.0.0.1:1/none.git'),
  overSsh: said('git', '-c', 'core.sshCommand=ssh -o BatchMode=yes', 'ls-remote', 'ssh://git@127.0.0.1:1/none.git'),
  repository: said('sh', '-c', 'cd /tmp && git init --quiet r && cd r && git -c user.name=a -c user.email=a@b commit --quiet --allow-empty -m x && git rev-list --count HEAD'),
  certificates: fs.readFileSync('/etc/ssl/certs/ca-certificates.crt', 'utf8').match(/BEGIN CERTIFICATE/g).length,
  codeRefused: cached().cachedDataRejected, app: refused('/app/x'), root: refused('/x'), tmp: refused('/tmp/x'),
}));`;

test('in a restricted pod with a read-only root, Node, git over https and ssh, and a shell work', { timeout: LONG_MS }, async () => {
  const name = parseReference(`${fromEnv('TIDEMILL_TEST_REGISTRY')}/tidemill/${namespace}:test`);
  const { reference } = await pushImage(imageOf([built]), name, { insecure: true, note: quiet });
  const again = await pushImage(imageOf([built]), name, { insecure: true, note: quiet });
  expect(again).toEqual({ reference, sent: 0, bytes: 0 });
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await client.request('POST', '/api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } } });
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const container = { name: 'probe', image: reference, args: ['-e', PROBE], securityContext, volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }] };
  const spec = { restartPolicy: 'Never', automountServiceAccountToken: false, containers: [container], volumes: [{ name: 'tmp', emptyDir: {} }] };
  await made(`/api/v1/namespaces/${namespace}/pods`, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'probe' }, spec });
  const found = JSON.parse(await ended('probe')) as Record<string, unknown>;
  expect(found).toMatchObject({
    user: 'tidemill',
    uid: 65_532,
    sh: 'hello [0]',
    codeRefused: false,
    app: 'EROFS',
    root: 'EROFS',
    tmp: 'written',
    repository: '1 [0]',
  });
  expect(found['node']).toMatch(/^v24\./);
  expect(found['git']).toMatch(/^git version 2\..* \[0\]$/);
  expect(found['ssh']).toMatch(/^OpenSSH_.* \[0\]$/);
  // They got as far as asking: their libraries are there, and nobody listens.
  expect(found['https']).toMatch(/[Cc]ould ?n.t connect|Failed to connect/);
  expect(found['overSsh']).toContain('port 1: Connection refused');
  expect(found['certificates']).toBeGreaterThan(100);
});

/** A new namespace gets its service account a moment later. */
async function made(path: string, body: object): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return void (await client.request('POST', path, { body }));
    } catch (error) {
      if (attempt === 20 || !/serviceaccount .* not found/.test((error as Error).message)) throw error;
      await sleep(500);
    }
  }
}

async function ended(pod: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}`;
  for (;;) {
    const { status } = await client.request<{ status: { phase: string; containerStatuses?: { state: object }[] } }>('GET', path);
    if (status.phase === 'Succeeded') return await client.text(`${path}/log`);
    if (status.phase === 'Failed') throw new Error(`The pod failed: ${await client.text(`${path}/log`)}`);
    await sleep(500);
  }
}
