// What a cold start is held against: Node that does nothing, that asks the API server one thing, and that does the least that an event can come to.
import { spawnSync } from 'node:child_process';
import process, { execPath } from 'node:process';
import { median } from '../figures.ts';
import { cpuOfEnded } from './cpu.ts';

export interface Bare {
  /** One run of each; to be called between those that it is compared with. */
  run(): void;
  /** Forgets the runs so far. */
  clear(): void;
  nothing(): Figures;
  asking(): Figures;
  handling(): Figures;
}

/** Milliseconds: the median of the time, the mean of what is used of processors. */
export interface Figures {
  time: number;
  cpu: number;
}

const ASKING = `const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, CA: ca } = process.env;
require('node:https').get({ host, port, ca, path: '/version' }, (answer) => answer.resume().on('end', () => process.kill(process.pid, 'SIGKILL')));`;

/** Takes a request, asks the API server two things over one connection, sends a request, and has its answer: as an event that is read about, recorded and told. */
const HANDLING = `const http = require('node:http'), https = require('node:https');
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, CA: ca } = process.env;
const agent = new https.Agent({ keepAlive: true });
const ask = (then) => https.get({ host, port, ca, path: '/version', agent }, (answer) => answer.resume().on('end', then));
const server = http.createServer((request, response) => request.resume().on('end', () => ask(() => ask(() => response.end()))));
server.listen(0, '127.0.0.1', () => http.request({ port: server.address().port, method: 'POST' }, (answer) => answer.resume().on('end', () => process.kill(process.pid, 'SIGKILL'))).end('{}'));`;

/** `env`: how the API server is found, and `CA` its certificate. */
export function bareNode(env: Record<string, string>): Bare {
  const nothing: Figures[] = [];
  const asking: Figures[] = [];
  const handling: Figures[] = [];
  return {
    run: () => {
      nothing.push(once('0', {}));
      asking.push(once(ASKING, env));
      handling.push(once(HANDLING, env));
    },
    clear: () => {
      nothing.length = 0;
      asking.length = 0;
      handling.length = 0;
    },
    nothing: () => together(nothing),
    asking: () => together(asking),
    handling: () => together(handling),
  };
}

function once(program: string, env: Record<string, string>): Figures {
  const before = cpuOfEnded();
  const began = performance.now();
  const { status, signal, stderr } = spawnSync(execPath, ['-e', program], { env: { PATH: process.env['PATH'], ...env }, encoding: 'utf8' });
  const time = performance.now() - began;
  if (status !== 0 && signal !== 'SIGKILL') throw new Error(`node -e ended with ${status}: ${stderr}`);
  return { time, cpu: cpuOfEnded() - before };
}

function together(runs: readonly Figures[]): Figures {
  return { time: median(runs.map(({ time }) => time)), cpu: runs.reduce((sum, { cpu }) => sum + cpu, 0) / runs.length };
}
