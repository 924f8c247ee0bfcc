// How the API server is reached and as whom. Made by in-cluster.ts from the pod's own files, or by kubeconfig.ts by means of client-node.
import type { Agent } from 'node:http';
import type { SecureContextOptions } from 'node:tls';

export interface Tls extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> {
  /** Name in the server's certificate, where it is not the host of `server`. */
  servername?: string;
  /** Takes any certificate: only where the kubeconfig asks for it. */
  insecure?: boolean;
}

export interface Connection {
  /** https://HOST:PORT, with a path where the API server stands behind one. */
  server: string;
  tls?: Tls;
  /**
   * Who asks, for one request. `renew`: the server refused what was given last time (401); read it again from where it comes from.
   * Cheap enough to be called for each request.
   */
  headers(renew: boolean): Promise<Record<string, string>>;
  /** Goes through a proxy by this agent, in place of sockets of ours. */
  agent?: Agent;
  /** The namespace to use where none is said. */
  namespace: string;
}

/** Called with the first request; again for the next one when it throws. */
export type Connect = () => Promise<Connection>;
