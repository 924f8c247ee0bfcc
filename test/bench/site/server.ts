// The process that test/bench/site.bench.ts measures: storage, steps and the site server, told what to do over IPC.
import { createHash } from 'node:crypto';
import process from 'node:process';
import type { Digest } from '../../../shared/ports/storage.ts';
import { createSteps } from '../../../shared/steps/steps.ts';
import { startSite } from '../../support/site.ts';

/** Numbered files of so many bytes each are published as version "1" of host "bench". */
export interface MakeFiles {
  what: 'files';
  count: number;
  size: number;
}

/** Runs the step `output` on a workspace, and points host "bench" to what it stored. */
export interface RunOutput {
  what: 'output';
  workspace: string;
}

export interface Done {
  port: number;
  directory: string;
}

const NO_GIT = new Proxy({} as never, {
  get: () => () => {
    throw new Error('The bench uses no git');
  },
});

const server = await startSite();

async function makeFiles({ count, size }: MakeFiles): Promise<Digest> {
  const files = Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}.bin`, content(i, size)]));
  const manifest = await server.store(files);
  const entries = await Promise.all(Object.entries(files).map(async ([path, bytes]) => ({ path, blob: (await server.storage.putBlob(bytes)).digest })));
  await server.storage.publishTree('bench/1', entries);
  return manifest;
}

/** Bytes that nothing makes smaller, of each file its own. */
function content(seed: number, size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 64) }, (_, i) => createHash('sha512').update(`${seed} ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, size);
}

async function runOutput({ workspace }: RunOutput): Promise<Digest> {
  const results: Record<string, string> = {};
  const context = { args: ['{}'], workspaces: { source: workspace }, workingDir: workspace, log: () => {}, signal: new AbortController().signal };
  await createSteps({ git: NO_GIT, storage: server.storage })['output']!({ ...context, result: async (name, value) => void (results[name] = value) });
  return results['manifest'] as Digest;
}

async function handle(message: MakeFiles | RunOutput): Promise<void> {
  await server.point('bench', '1', message.what === 'files' ? await makeFiles(message) : await runOutput(message));
  process.send?.({ port: server.port, directory: server.directory } satisfies Done);
}

process.on('message', (message) => void handle(message as MakeFiles | RunOutput));
process.on('disconnect', () => void server.close().then(() => process.exit(0)));
process.send?.('ready');
