// A chain in which each function is started for its event, as from zero: this is the broker, and the clock that runs from process start to answer.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { functions, type FunctionName } from '../../../functions/graph.ts';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import { toBinary } from '../../../shared/knative/headers.ts';
import { readEvent } from '../../../shared/knative/incoming.ts';
import type { AsPod } from './as-pod.ts';
import type { Bundles } from './bundles.ts';
import { cpuOf } from './cpu.ts';
import type { Ground } from './ground.ts';

export interface Sample {
  name: string;
  /** From the start of the process until it takes connections, and until its first event was handled. Milliseconds. */
  up: number;
  handled: number;
  /** What it has used of processors by then. Milliseconds. */
  cpu: number;
}

export interface ColdChain {
  /** Where an outside hook takes what it is told. */
  hook: string;
  /** Delivers the event to whoever takes it, each in a new process, and what they publish, and so on. */
  drive(event: TidemillEvent): Promise<Sample[]>;
  /** A request to a new process of this edge. */
  ask(name: string, path: string, headers: Record<string, string>, body: Buffer): Promise<Sample>;
}

export interface ColdOptions {
  ground: Ground;
  bundles: Bundles;
  pod: AsPod;
  env: Record<string, string>;
  /** Done before each start. */
  before: () => void;
}

const LIMIT_MS = 30_000;
const AGAIN_MS = 1;
const HOOK = '/hook';

export async function openColdChain({ ground, bundles, pod, env, before }: ColdOptions): Promise<ColdChain> {
  const published: TidemillEvent[] = [];
  const sink = createServer((call, response) => {
    const chunks: Buffer[] = [];
    call
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        if (call.url !== HOOK) published.push(readEvent(call.headersDistinct, Buffer.concat(chunks)));
        response.writeHead(202).end();
      });
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  ground.later('sink', async () => {
    sink.closeAllConnections();
    sink.close();
  });
  const here = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
  const settings = { ...env, ...pod.env, K_SINK: `${here}/`, TIDEMILL_HOOKS_ALLOW: '127.0.0.1' };

  const askNew: ColdChain['ask'] = async (name, path, headers, body) => {
    before();
    const process = await bundles.start(name, settings, pod.args);
    try {
      const { up, at, status, said } = await firstAnswer(process.port, path, headers, body, process.began);
      const cpu = cpuOf(process.child.pid!);
      if (status >= 300) throw new Error(`${name} answered ${status}: ${said}\n${process.said()}`);
      return { name, up: up - process.began, handled: at - process.began, cpu };
    } finally {
      process.child.kill('SIGKILL');
      await process.stop();
    }
  };

  return {
    hook: `${here}${HOOK}`,
    ask: askNew,
    drive: async (first) => {
      const samples: Sample[] = [];
      const queue = [first];
      for (let event = queue.shift(); event; event = queue.shift()) {
        for (const [name, { consumes }] of Object.entries(functions) as [FunctionName, { consumes: readonly string[] }][]) {
          // Of what is told to outside hooks one is enough.
          if (!consumes.includes(event.type) || (name === 'hook-dispatch' && samples.some((sample) => sample.name === name))) continue;
          const { headers, body } = toBinary(event);
          samples.push(await askNew(name, '/', headers as Record<string, string>, body));
          queue.push(...published.splice(0));
        }
      }
      return samples;
    },
  };
}

/** Looks until it is ready, as Knative's probe does, and then hands over the event. */
async function firstAnswer(port: number, path: string, headers: Record<string, string>, body: Buffer, began: number) {
  let up: number | undefined;
  for (;;) {
    const ready = await ask(port, { method: 'GET', path: '/readyz' });
    const now = performance.now();
    if (ready) up ??= now;
    if (ready?.status === 200) break;
    if (now - began > LIMIT_MS) throw new Error(`Nobody answered on port ${port} within ${LIMIT_MS / 1000} s`);
    await sleep(AGAIN_MS);
  }
  const answer = await ask(port, { method: 'POST', path, headers: { ...headers, 'content-length': String(body.length) } }, body);
  if (!answer) throw new Error(`Nobody is on port ${port} any more`);
  return { up: up!, at: performance.now(), ...answer };
}

/** Undefined: nobody is there yet. */
function ask(port: number, what: { method: string; path: string; headers?: Record<string, string> }, body?: Buffer) {
  return new Promise<{ status: number; said: string } | undefined>((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, agent: false, ...what }, (response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (text: string) => (said += text));
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode ?? 0, said }));
    });
    call.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? resolve(undefined) : reject(error)));
    call.end(body);
  });
}

export const someSha = () => randomBytes(20).toString('hex');
