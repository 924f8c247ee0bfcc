// A way to the API server that the test holds in its hand: it lets requests through, refuses them, loses answers, cuts and freezes streams.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Connection } from '../../../shared/kubernetes/client/connection.ts';
import { fromKubeconfig } from '../../../shared/kubernetes/client/kubeconfig.ts';

/** What becomes of a request. `lose`: it is carried out, and its answer lost. `drop`: it never arrives. `freeze`: the answer begins and then nothing comes. */
export type Fate = 'pass' | 'lose' | 'drop' | 'freeze' | { status: number; headers?: Record<string, string>; body: string };

export interface Seen {
  method: string;
  /** With its query. */
  url: string;
  /** The answer's status; absent: none was given. */
  status?: number;
}

export interface Proxy {
  /** Decides for each request; set it anew at any time. */
  decide: (seen: Seen) => Fate;
  seen: Seen[];
  /** Connections open now, and the most there ever were. */
  sockets: { now: number; most: number };
  /** Ends every connection there is. */
  cut(): void;
  /** Takes no connections for a while. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** The connection that a client is to use. */
  connection: Connection;
  close(): Promise<void>;
}

export async function startProxy(): Promise<Proxy> {
  const target = await fromKubeconfig()();
  const { ca, cert, key } = target.tls ?? {};
  const agent = new Agent({ keepAlive: true, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  const open = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;

  const handle = (incoming: IncomingMessage, answer: ServerResponse) => {
    const entry: Seen = { method: incoming.method!, url: incoming.url! };
    proxy.seen.push(entry);
    const fate = proxy.decide(entry);
    if (fate === 'drop') return incoming.socket.destroy();
    if (typeof fate === 'object') {
      entry.status = fate.status;
      incoming.resume();
      return answer.writeHead(fate.status, { 'content-type': 'application/json', ...fate.headers }).end(fate.body);
    }
    const { host: _, ...headers } = incoming.headers;
    const onward = httpsRequest(new URL(incoming.url!, target.server), { method: incoming.method!, headers, agent }, (response) => {
      if (fate === 'lose') return response.resume().on('end', () => incoming.socket.destroy());
      entry.status = response.statusCode!;
      answer.writeHead(response.statusCode!, response.headers);
      if (fate === 'freeze') return response.resume() && answer.flushHeaders();
      response.on('error', () => answer.destroy()).pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    incoming.pipe(onward);
  };

  const listen = () =>
    new Promise<void>((resolve) => {
      server = createServer(handle)
        .on('connection', (socket) => {
          open.add(socket);
          proxy.sockets.most = Math.max(proxy.sockets.most, ++proxy.sockets.now);
          socket.on('close', () => {
            open.delete(socket);
            proxy.sockets.now--;
          });
        })
        .listen(port, '127.0.0.1', () => {
          ({ port } = server!.address() as AddressInfo);
          resolve();
        });
    });
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  const goAway = () =>
    new Promise<void>((resolve) => {
      server!.close(() => resolve());
      cut();
    });

  const proxy: Proxy = {
    decide: () => 'pass',
    seen: [],
    sockets: { now: 0, most: 0 },
    cut,
    goAway,
    comeBack: listen,
    connection: { server: '', headers: (renew) => target.headers(renew), namespace: 'default' },
    close: async () => {
      if (server!.listening) await goAway();
      agent.destroy();
    },
  };
  await listen();
  proxy.connection.server = `http://127.0.0.1:${port}`;
  return proxy;
}

export const isWatch = ({ url }: Seen) => url.includes('watch=true');
