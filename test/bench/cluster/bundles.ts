// The bundles of the image, unpacked here and started on the Node that runs the bench: what a pod starts, without the pod.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process, { execPath } from 'node:process';
import { codeOf } from '../../../knative/image/code.ts';
import { bundleProgram } from '../../../knative/image/program.ts';
import type { Ground } from './ground.ts';

export interface Bundles {
  /** Starts one with these settings, on a port of its own. `args`: for node, before the program. */
  start(name: string, env: Record<string, string>, args?: readonly string[]): Promise<Started>;
}

export interface Started {
  child: ChildProcess;
  port: number;
  /** performance.now() just before it was started. */
  began: number;
  /** What it printed. */
  said(): string;
  /** SIGTERM, and then it has to end. */
  stop(): Promise<void>;
}

const END_MS = 10_000;
/** Of the image's environment. */
const OWN = { NODE_ENV: 'production' };
/** Of this machine, and of no pod: reading them would be measured. */
const NOT_OF_A_POD = { NODE_EXTRA_CA_CERTS: undefined, NODE_OPTIONS: undefined };

export async function unpackBundles({ later }: Pick<Ground, 'later'>): Promise<Bundles> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-app-'));
  later('bundles', async () => rmSync(folder, { recursive: true, force: true }));
  const app = await bundleProgram();
  for (const entry of [...app, ...(await codeOf(app, execPath))]) {
    if (entry.type !== 'file') continue;
    mkdirSync(dirname(join(folder, entry.path)), { recursive: true });
    writeFileSync(join(folder, entry.path), entry.body);
  }
  return {
    start: async (name, env, args = []) => {
      const port = await freePort();
      const began = performance.now();
      const child = spawn(execPath, [...args, join(folder, 'app', `${name}.mjs`)], {
        env: { ...process.env, ...NOT_OF_A_POD, ...OWN, ...env, PORT: String(port) },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text = (text + chunk).slice(-8192)));
      const ended = new Promise<number | null>((done) => child.once('close', done));
      const stop = async () => {
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
        await ended;
        clearTimeout(timer);
      };
      return { child, port, began, said: () => text, stop: later(`process ${name}`, stop) };
    },
  };
}

/** A port that nobody has now; the gap until it is taken is the bench's risk. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((ready) => probe.once('listening', ready));
  const address = probe.address();
  await new Promise((closed) => probe.close(closed));
  if (address === null || typeof address === 'string') throw new Error('No free port');
  return address.port;
}
