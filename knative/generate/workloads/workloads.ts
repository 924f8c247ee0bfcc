// Every process of tidemill in a cluster, and what its manifest depends on. Functions come from the graph; the edges are told here.
import { edges, type FunctionEntry, functions, type PortName } from '../../../functions/graph.ts';
import { BROKER, PUBLISHES, PUBLISHES_TO } from '../object.ts';
import type { Overlay } from '../options.ts';

export interface Workload {
  name: string;
  /** A function handles one event at a time and more; an edge answers HTTP, or watches. */
  kind: 'function' | 'edge';
  /** May go to zero and be woken by a request: a Knative Service where there is Knative. */
  sleeps: boolean;
  /** Who may send to it: nobody but a probe, pods of this cluster, the world. */
  reach: 'none' | 'cluster' | 'world';
  /** Requests at once in one pod; 0: no limit, for answers that go on for long. */
  concurrency: number;
  publishes: boolean;
  /** What it publishes; who publishes more than the graph says of it, as the watcher does, tells the Broker of all. */
  emits: readonly string[];
  needs: readonly PortName[];
  /** On the way of every push: kept awake in production. */
  hot: boolean;
  /** What its /tmp may hold. */
  tmp: string;
  /** Bytes of memory that it may use. */
  memory: string;
  /** Two of it may not work at once: the others wait until its lease is free. */
  elected?: boolean;
}

/** Handled side by side where the graph does not say. */
const CONCURRENCY = 8;
const HOT = new Set(['git-push', 'artifact-requested', 'artifact-resolved']);

const edge = { kind: 'edge', concurrency: 0, hot: false, tmp: '64Mi', memory: '256Mi' } as const;

type Edge = Omit<Workload, 'name' | 'publishes' | 'emits' | 'needs'>;

const EDGES: Record<string, Edge> = {
  site: { ...edge, sleeps: false, reach: 'world', memory: '512Mi' },
  bytes: { ...edge, sleeps: false, reach: 'cluster' },
  // Awake: it is the last resort, and must not depend on what may just have failed to wake the others.
  'dead-letters': { ...edge, sleeps: false, reach: 'cluster' },
  watcher: { ...edge, sleeps: false, reach: 'none', elected: true, tmp: '1Gi', memory: '512Mi' },
  'github-webhook': { ...edge, sleeps: true, reach: 'world', hot: true },
  api: { ...edge, sleeps: true, reach: 'world', tmp: '1Gi', memory: '512Mi' },
};

/** Edges of the graph that are no process of their own here, and who does their work. */
export const DONE_BY = { 'repository-watch': 'watcher' } as const;

/** Edges that one overlay alone has: dead letters of JetStream stay in a stream. */
const ONLY: Record<string, Overlay> = { 'dead-letters': 'knative' };

interface EdgeEntry {
  emits: readonly string[];
  needs: readonly PortName[];
}

function edgeEntry(name: string): EdgeEntry {
  const all: Record<string, EdgeEntry> = edges;
  const own = Object.entries(DONE_BY).flatMap(([done, by]) => (by === name ? [all[done]] : []));
  const entries = [all[name], ...own].filter((entry) => entry !== undefined);
  return { emits: entries.flatMap((entry) => entry.emits), needs: [...new Set(entries.flatMap((entry) => entry.needs))] };
}

function functionWorkload([name, entry]: [string, FunctionEntry]): Workload {
  return {
    name,
    kind: 'function',
    sleeps: true,
    reach: 'cluster',
    concurrency: entry.concurrency ?? CONCURRENCY,
    publishes: entry.emits.length > 0,
    emits: entry.emits,
    needs: entry.needs,
    hot: HOT.has(name),
    tmp: entry.needs.includes('git') ? '1Gi' : '64Mi',
    memory: entry.needs.includes('git') ? '512Mi' : '256Mi',
  };
}

function edgeWorkload([name, told]: [string, Edge]): Workload {
  const { emits, needs } = edgeEntry(name);
  // The watcher rings again for whatever others left behind, and what the dead letter holds is sent again by the API.
  return { ...told, name, publishes: emits.length > 0 || name === 'watcher', emits, needs };
}

/** Those that are awake first, then edges that sleep, then the functions in the order of the graph. */
export function workloads(overlay: Overlay): Workload[] {
  const own = Object.entries(EDGES).filter(([name]) => (ONLY[name] ?? overlay) === overlay);
  return [...own.map(edgeWorkload), ...Object.entries<FunctionEntry>(functions).map(functionWorkload)];
}

/** On the way of every push: a Knative Broker asks all its Triggers about each event, so there it has one with those alone that hear what it says. */
export function hasOwnBroker({ hot, publishes }: Workload): boolean {
  return hot && publishes;
}

/** By these labels those that publish are told where to. */
export function publishing(workload: Workload): Record<string, string> {
  return workload.publishes ? { [PUBLISHES]: 'true', [PUBLISHES_TO]: hasOwnBroker(workload) ? workload.name : BROKER } : {};
}
