// tidemill as a user installs it: the image made and pushed, `tidemill install` in namespaces of its own, the ways in, and `tidemill uninstall`.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { fromEnv } from '../env.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');
const NODE = join(ROOT, 'cli/node.mjs');
const MAX_OUTPUT = 64 * 1024 * 1024;

export type Overlay = 'knative' | 'jetstream';

export interface Answer {
  status: number;
  body: string;
  headers: Record<string, string | string[] | undefined>;
}

/** One of the ways in: requests go to it by its address and its Host. */
export type Door = (method: string, path: string, options?: { headers?: Record<string, string>; body?: string | Uint8Array; host?: string }) => Promise<Answer>;

export interface Installation {
  overlay: Overlay;
  namespace: string;
  /** Where its projects stand. */
  projects: string;
  webhookSecret: string;
  token: string;
  webhook: Door;
  api: Door;
  site: Door;
  kubectl(...args: string[]): Promise<string>;
  remove(): Promise<void>;
}

export async function kubectl(...args: string[]): Promise<string> {
  const { stdout } = await run('kubectl', args, { maxBuffer: MAX_OUTPUT });
  return stdout.trimEnd();
}

/** Runs `tidemill …`, and gives what it said on stdout. */
export async function tidemill(...args: string[]): Promise<string> {
  try {
    const { stdout } = await run('node', [NODE, join(ROOT, 'cli/main.mjs'), ...args], { maxBuffer: MAX_OUTPUT });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`tidemill ${args[0]} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

let image: Promise<string> | undefined;

/** The image of this tree in the test's registry, by digest: made once, unless TIDEMILL_TEST_IMAGE names it. */
export function testImage(): Promise<string> {
  image ??= (async () => {
    const given = process.env['TIDEMILL_TEST_IMAGE'];
    if (given) return given;
    const to = `${fromEnv('TIDEMILL_TEST_REGISTRY')}/tidemill:test`;
    const { stdout } = await run('node', [NODE, join(ROOT, 'knative/image/image.ts'), '--push', to, '--insecure'], { maxBuffer: MAX_OUTPUT });
    return stdout.trim();
  })();
  return image;
}

/** `word` begins the names of its namespaces, its bucket and its streams. */
export async function install(overlay: Overlay, more: readonly string[] = [], word = 'chain'): Promise<Installation> {
  const id = `${word}-${overlay}-${randomBytes(3).toString('hex')}`;
  const projects = `${id}-projects`;
  const forwards: { close(): void }[] = [];
  const installation = ['--namespace', id];
  await tidemill(
    'install',
    '--yes',
    ...['--overlay', overlay, '--image', await testImage(), '--build-image', fromEnv('TIDEMILL_TEST_BUILD_IMAGE')],
    ...['--project-namespace', projects, '--site-host', 'sites.test', '--hooks-allow', fromEnv('TIDEMILL_TEST_HOST'), '--no-tekton-events'],
    ...['--s3-endpoint', fromEnv('TIDEMILL_TEST_S3_ENDPOINT'), '--s3-bucket', id, '--nats', fromEnv('TIDEMILL_TEST_NATS_URL'), '--nats-prefix', id],
    ...installation,
    ...more,
  );
  const secret = async (key: string) =>
    Buffer.from(await kubectl('-n', id, 'get', 'secret', 'tidemill-secrets', '-o', `jsonpath={.data.${key}}`), 'base64')
      .toString('utf8')
      .trim();
  const forwarded = async (service: string) => {
    const forward = await portForward(id, service);
    forwards.push(forward);
    return door(forward.url, undefined);
  };
  const gateway = async (service: string) => {
    const url = await kubectl('-n', id, 'get', 'ksvc', service, '-o', 'jsonpath={.status.url}');
    return door(fromEnv('TIDEMILL_TEST_GATEWAY'), new URL(url).host);
  };
  const open = overlay === 'knative' ? gateway : forwarded;
  return {
    overlay,
    namespace: id,
    projects,
    webhookSecret: await secret('webhook-secret'),
    token: await secret('api-token'),
    webhook: await open('github-webhook'),
    api: await open('api'),
    site: await forwarded('site'),
    kubectl: (...args) => kubectl('-n', projects, ...args),
    remove: async () => {
      for (const forward of forwards) forward.close();
      await kubectl('delete', 'namespace', projects, '--ignore-not-found', '--wait=false');
      await tidemill('uninstall', '--yes', ...installation);
    },
  };
}

/** Requests to an address, each under a Host. */
export function door(base: string, host: string | undefined): Door {
  return (method, path, options = {}) =>
    new Promise((resolve, reject) => {
      const as = options.host ?? host;
      const request = httpRequest(`${base}${path}`, { method, headers: { ...options.headers, ...(as && { host: as }) } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8'), headers: response.headers }));
      });
      request.on('error', reject);
      request.end(options.body);
    });
}

/** kubectl port-forward on a free port, begun again when it breaks off: it ends with the pod that it led to. */
async function portForward(namespace: string, service: string): Promise<{ url: string; close(): void }> {
  let closed = false;
  let port = 0;
  let child: ReturnType<typeof spawn> | undefined;
  const begin = () =>
    new Promise<void>((resolve, reject) => {
      child = spawn('kubectl', ['-n', namespace, 'port-forward', `service/${service}`, `${port}:80`], { stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      child.stderr!.on('data', (chunk: Buffer) => (said += chunk));
      child.stdout!.on('data', (chunk: Buffer) => {
        const found = /127\.0\.0\.1:(\d+)/.exec(chunk.toString());
        if (!found) return;
        port = Number(found[1]);
        resolve();
      });
      child.on('close', () => {
        reject(new Error(`kubectl port-forward of ${service} ended: ${said}`));
        if (!closed && port !== 0) setTimeout(() => void begin().catch(() => undefined), 500); // told by the request that then fails
      });
    });
  await begin();
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      closed = true;
      child?.kill('SIGTERM');
    },
  };
}
