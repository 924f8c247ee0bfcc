// What each service account may do at the API server: the kinds that its function's code touches, with the verbs that it uses, and nothing else.
// rights.test.ts holds this table against what the handlers do.
import type { edges, FunctionName } from '../../../functions/graph.ts';
import type { Kind } from '../../../shared/objects/kinds.ts';
import type { DONE_BY } from '../workloads/workloads.ts';

/** `status` replaces the status, `patch-status` changes part of it; the others are the API server's own verbs. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'status' | 'patch-status';

/** tidemill's kinds and TaskRun; then those that are the cluster's own. */
export type Thing = Kind | 'Secret' | 'Pod' | 'PodLog' | 'TokenReview' | 'Lease' | 'Event';

export type Table = Partial<Record<Thing, readonly Verb[]>>;

export interface Rights {
  /** In every namespace: tidemill's own objects, which hold no secret, wherever somebody writes them. */
  cluster?: Table;
  /** Only in namespaces that were made ready for projects: secrets, and whatever runs somebody's code. */
  project?: Table;
  /** Only where tidemill itself runs. */
  system?: Table;
}

/** Opens executions: enters the lane, writes the Execution and its source. */
const OPENS: Table = {
  Lane: ['get', 'create', 'status'],
  Execution: ['get', 'create', 'status'],
  Artifact: ['get', 'create', 'status'],
};

/** Starts TaskRuns, or ends those that run for nobody; what builds may not name is what credentials and hooks are kept in. */
const RUNS: Table = { TaskRun: ['get', 'create', 'patch'], Credential: ['list'], Hook: ['list'] };

/** Sends the credential of a Project's repository. */
const READS_SECRETS: Table = { Secret: ['get'] };

const READS: readonly Verb[] = ['get', 'list', 'watch'];
/** Of what people write, and may write wrong: then it is said on it. */
const WATCHES: readonly Verb[] = [...READS, 'status', 'patch-status'];
const EVERY: readonly Verb[] = [...READS, 'create', 'patch', 'delete', 'status'];

/** Every process has its row. */
type Process = FunctionName | Exclude<keyof typeof edges, keyof typeof DONE_BY>;

export const rights: Readonly<Record<Process, Rights>> = {
  'git-push': { cluster: { ...OPENS, Project: ['get', 'list'], Push: ['get', 'list', 'create', 'status'], Release: ['get'] } },
  'execution-requested': { cluster: { ...OPENS, Project: ['get'] } },
  'artifact-requested': { cluster: { Artifact: ['get', 'status'], Credential: ['get'] }, project: READS_SECRETS },
  'artifact-resolved': {
    cluster: { Project: ['get'], Artifact: ['get', 'status'], Execution: ['get', 'status'], Lane: ['get'], Pipeline: ['get'], Credential: ['get'] },
    project: { ...RUNS, ...READS_SECRETS },
  },
  'artifact-failed': { cluster: { Execution: ['get', 'status'] } },
  'taskrun-finished': {
    cluster: { Execution: ['get', 'status'], Artifact: ['get', 'create', 'status'], Project: ['get', 'status'] },
    project: RUNS,
  },
  'execution-cancel': { cluster: { Execution: ['get', 'status'] }, project: RUNS },
  'lane-advance': { cluster: { Lane: ['get', 'status'] } },
  'execution-admitted': { cluster: { Execution: ['get', 'status'] }, project: RUNS },
  'release-requested': { cluster: { Project: ['get'], Artifact: ['get', 'list'], Release: ['get', 'create', 'status'] } },
  'hook-dispatch': { cluster: { Hook: ['get', 'list'] } },
  'hook-delivery': { cluster: { Hook: ['get', 'status'] }, project: READS_SECRETS },
  'storage-sweep': {},
  // What people do by the API they could do by kubectl: only in namespaces of projects.
  api: {
    cluster: { Push: READS },
    project: {
      Project: EVERY,
      Pipeline: READS,
      Execution: [...READS, 'delete'],
      Lane: [...READS, 'delete'],
      Artifact: [...READS, 'delete'],
      Release: [...READS, 'delete'],
      Hook: EVERY,
      Credential: EVERY,
      TaskRun: [...READS, 'patch', 'delete'],
      Secret: ['get', 'create', 'update', 'patch', 'delete'],
    },
  },
  site: { project: { Project: ['get'], Release: READS } },
  'github-webhook': {},
  bytes: {
    cluster: { TokenReview: ['create'], Execution: ['get'], Artifact: ['get'], Project: ['get'], Credential: ['get'] },
    project: { Pod: ['get'], TaskRun: ['get'], Secret: ['get'] },
  },
  'dead-letters': {},
  // Sees everything of tidemill's, since anybody may change it: labels what kubectl made, answers annotations, strikes outboxes, and takes away
  // what belonged to a project that is gone.
  watcher: {
    cluster: {
      Project: [...WATCHES, 'patch'],
      Pipeline: WATCHES,
      Push: [...READS, 'status'],
      Execution: [...READS, 'delete', 'status'],
      Lane: [...READS, 'delete', 'status'],
      Artifact: [...WATCHES, 'patch', 'delete'],
      Release: [...WATCHES, 'patch', 'delete'],
      Hook: [...WATCHES, 'patch', 'delete'],
      Credential: WATCHES,
      TaskRun: READS,
      Event: ['create'],
    },
    project: { Pod: ['get'], PodLog: ['get'], Secret: ['get', 'delete'], TaskRun: ['delete'] },
    system: { Lease: ['get', 'create', 'update'] },
  },
};

/** Whether its pods are given the token of its service account: only those that ask the API server for something. */
export function automount(name: string): boolean {
  const all: Readonly<Record<string, Rights>> = rights;
  return Object.keys(all[name] ?? {}).length > 0;
}
