// POSTs of webhooks over connections that are kept, as GitHub's own are, to a Service of the cluster by the shortest way there is from here.
import { spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ground } from './ground.ts';

export interface Target {
  /** http://HOST:PORT */
  url: string;
  /** Host header, where it is not the URL's. */
  host?: string;
}

const CONNECT_MS = 1000;
/** What has just become ready can be reached at its address a moment later. */
const CONNECT_TRIES = 6;

/** A Service by its own address where that can be reached from here, as on the cluster's own node; else by `kubectl port-forward`, which is slower. */
export async function serviceTarget({ client, later, log }: Ground, namespace: string, service: string, port: number): Promise<Target> {
  const { spec } = await client.request<{ spec: { clusterIP: string } }>('GET', `/api/v1/namespaces/${namespace}/services/${service}`);
  for (let tries = 1; tries <= CONNECT_TRIES; tries++) {
    if (await reaches(spec.clusterIP, port)) return { url: `http://${spec.clusterIP}:${port}` };
    await sleep(CONNECT_MS);
  }
  log(`${service} cannot be reached at its own address from here: its figures hold what kubectl port-forward takes`);
  const child = spawn('kubectl', ['-n', namespace, 'port-forward', `service/${service}`, `:${port}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  later(`port-forward of ${service}`, async () => void child.kill('SIGTERM'));
  const local = await new Promise<string>((resolve, reject) => {
    child.once('close', (code) => reject(new Error(`kubectl port-forward of ${service} ended with ${code}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      const found = /127\.0\.0\.1:(\d+)/.exec(chunk.toString());
      if (found) resolve(found[1]!);
    });
  });
  return { url: `http://127.0.0.1:${local}` };
}

function reaches(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket
      .once('connect', () => end(true))
      .once('error', () => end(false))
      .once('timeout', () => end(false));
  });
}

export interface Poster {
  /** Resolves when it was answered 2xx. */
  post(path: string, headers: Record<string, string>, body: Buffer): Promise<void>;
  close(): void;
}

export function openPoster({ url, host }: Target): Poster {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  return {
    post: (path, headers, body) =>
      new Promise((resolve, reject) => {
        const all = { ...headers, ...(host && { host }), 'content-length': String(body.length) };
        const call = request(`${url}${path}`, { method: 'POST', agent, headers: all }, (response) => {
          let said = '';
          response.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(0, 500)));
          response.on('error', reject).on('end', () => {
            const status = response.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve();
            else reject(new Error(`POST ${url}${path} was answered ${status}: ${said}`));
          });
        });
        call.on('error', reject).end(body);
      }),
    close: () => agent.destroy(),
  };
}
