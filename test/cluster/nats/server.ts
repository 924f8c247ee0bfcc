// NATS servers of a test's own, on free ports of this machine, to be killed and started again.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { jetstreamManager } from '@nats-io/jetstream';
import { fromEnv } from '../env.ts';

export interface NatsServer {
  url: string;
  /** As the machine's end would: SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
  /** With what it had on its disk. */
  start(): Promise<void>;
}

export interface NatsServers {
  servers: NatsServer[];
  /** All addresses, as one url. */
  url: string;
  close(): Promise<void>;
}

/** So many servers, as a cluster when there are several, listening on `host`. Every write is synced before it is acknowledged. */
export async function startNats(count = 1, host = '127.0.0.1'): Promise<NatsServers> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-nats-'));
  const ports = await freePorts(count * 2, host);
  const routes = ports.slice(count).map((port) => `nats://${host}:${port}`);
  const servers = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const config = join(folder, `n${i}.conf`);
      await writeFile(config, configOf(i, `${host}:${ports[i]!}`, folder, count > 1 ? { listen: `${host}:${ports[count + i]!}`, routes } : undefined));
      return createNats(config, `nats://${host}:${ports[i]!}`);
    }),
  );
  await Promise.all(servers.map((server) => server.start()));
  const url = servers.map((server) => server.url).join(',');
  if (count > 1) await untilLeader(url);
  return {
    servers,
    url,
    close: async () => {
      await Promise.all(servers.map((server) => server.kill()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configOf(i: number, listen: string, folder: string, cluster?: { listen: string; routes: string[] }): string {
  const lines = [
    `server_name: n${i}`,
    `listen: "${listen}"`,
    `jetstream { store_dir: ${JSON.stringify(join(folder, `n${i}`))}, sync_interval: always, max_file_store: 8GB }`,
  ];
  if (cluster) lines.push(`cluster { name: test, listen: "${cluster.listen}", routes: ${JSON.stringify(cluster.routes)} }`);
  return lines.join('\n');
}

function createNats(config: string, url: string): NatsServer {
  let child: ChildProcess | undefined;
  return {
    url,
    start: async () => {
      child = spawn(fromEnv('TIDEMILL_TEST_NATS_SERVER'), ['-c', config], { stdio: 'ignore' });
      await untilItListens(url);
    },
    kill: async () => {
      const one = child;
      child = undefined;
      if (!one || one.exitCode !== null) return;
      const gone = new Promise((resolve) => one.once('exit', resolve));
      one.kill('SIGKILL');
      await gone;
    },
  };
}

async function untilItListens(url: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      const nc = await connect({ servers: url, timeout: 1000, reconnect: false });
      return await nc.close();
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function untilLeader(url: string): Promise<void> {
  const nc = await connect({ servers: url.split(','), timeout: 2000 });
  try {
    for (let tries = 0; ; tries++) {
      try {
        await jetstreamManager(nc, { timeout: 2000 });
        return;
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  } finally {
    await nc.close();
  }
}

async function freePorts(count: number, host: string): Promise<number[]> {
  const listeners = await Promise.all(
    Array.from({ length: count }, async () => {
      const listener = createServer();
      await new Promise<void>((resolve) => listener.listen(0, host, resolve));
      return listener;
    }),
  );
  const ports = listeners.map((listener) => (listener.address() as { port: number }).port);
  await Promise.all(listeners.map((listener) => new Promise((resolve) => listener.close(resolve))));
  return ports;
}
