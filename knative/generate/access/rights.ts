// What each service account may do at the API server: the kinds that its function's code touches, with the verbs that it uses, and nothing else.
// rights.test.ts holds this table against what the handlers do.
import type { edges, FunctionName } from '../../../functions/graph.ts';
import type { Kind } from '../../../shared/objects/kinds.ts';
import type { DONE_BY } from '../workloads/workloads.ts';

/** `status` replaces the status, `patch-status` changes part of it; the others are the API server's own verbs. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'status' | 'patch-status';

/** tidemill's kinds and TaskRun; then those that are the cluster's own. */
/** A ProjectNamespace is the one RoleBinding that tells which namespaces were made ready. */
export type Thing = Kind | 'Secret' | 'Pod' | 'PodLog' | 'TokenReview' | 'Lease' | 'Event' | 'ProjectNamespace' | 'StepAction';

export type Table = Partial<Record<Thing, readonly Verb[]>>;

export interface Rights {
  /** In every namespace: to look for tidemill's own objects, which hold no secret. Nothing is written by these. */
  cluster?: Table;
  /** Only in namespaces that were made ready for the projects of this installation. */
  project?: Table;
  /** Only where tidemill itself runs: pushes are told to it, before any project is known. */
  system?: Table;
}

/** Opens executions: enters the lane, writes the Execution and its source. */
const OPENS: Table = {
  Lane: ['get', 'create', 'status'],
  Execution: ['get', 'create', 'status'],
  Artifact: ['get', 'create', 'status'],
};

/** Starts TaskRuns, or ends those that run for nobody; what builds may not name is what credentials and hooks are kept in. */
const RUNS: Table = { TaskRun: ['get', 'create', 'patch'], StepAction: ['get'], Credential: ['list'], Hook: ['list'] };

/** Ends TaskRuns, and starts none: so it need not know what they may not name. */
const ENDS: Table = { TaskRun: ['get', 'patch'] };

/** Sends the credential of a Project's repository. */
const READS_SECRETS: Table = { Secret: ['get'] };

const READS: readonly Verb[] = ['get', 'list', 'watch'];
/** Of what people write, and may write wrong: then it is said on it. */
const WATCHES: readonly Verb[] = [...READS, 'status', 'patch-status'];
/** Of who looks at the objects of all projects: found in all namespaces, and those of others left alone. */
const LOOKS: Table = {
  ...Object.fromEntries((['Project', 'Pipeline', 'Execution', 'Artifact', 'Release', 'Hook', 'Credential'] as const).map((kind) => [kind, ['list', 'watch']])),
  ProjectNamespace: ['list'],
};
const EVERY: readonly Verb[] = [...READS, 'create', 'patch', 'delete', 'status'];

/** Every process has its row. */
type Process = FunctionName | Exclude<keyof typeof edges, keyof typeof DONE_BY>;

export const rights: Readonly<Record<Process, Rights>> = {
  'git-push': {
    cluster: { Project: ['list'], ProjectNamespace: ['list'] },
    project: { ...OPENS, Project: ['get'], Release: ['get'] },
    system: { Push: ['get', 'list', 'create', 'status'] },
  },
  'execution-requested': { project: { ...OPENS, Project: ['get'] } },
  'artifact-requested': { project: { Artifact: ['get', 'status'], Credential: ['get'], ...READS_SECRETS } },
  'artifact-resolved': {
    project: {
      Project: ['get'],
      Artifact: ['get', 'status'],
      Execution: ['get', 'status'],
      Lane: ['get'],
      Pipeline: ['get'],
      ...RUNS,
      Credential: ['get', 'list'],
      ...READS_SECRETS,
    },
  },
  'artifact-failed': { project: { Execution: ['get', 'status'] } },
  'taskrun-finished': {
    project: { Execution: ['get', 'status'], Artifact: ['get', 'create', 'status'], Project: ['get', 'status'], ...RUNS },
  },
  'execution-cancel': { project: { Execution: ['get', 'status'], ...ENDS } },
  'lane-advance': { project: { Lane: ['get', 'status'] } },
  'execution-admitted': { project: { Execution: ['get', 'status'], ...RUNS } },
  'release-requested': { project: { Project: ['get'], Artifact: ['get', 'list'], Release: ['get', 'create', 'status'] } },
  'hook-dispatch': { project: { Hook: ['get', 'list'] } },
  'hook-delivery': { project: { Hook: ['get', 'status'], ...READS_SECRETS } },
  'storage-sweep': {},
  // What people do by the API they could do by kubectl: only in namespaces of projects.
  api: {
    cluster: LOOKS,
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
    system: { Push: READS },
  },
  site: {
    cluster: { Project: ['list', 'watch'], Release: ['list', 'watch'], ProjectNamespace: ['list', 'watch'] },
    project: { Project: ['get'], Release: ['get'] },
  },
  'github-webhook': {},
  bytes: {
    cluster: { TokenReview: ['create'] },
    project: { Execution: ['get'], Artifact: ['get'], Project: ['get'], Credential: ['get'], Pod: ['get'], TaskRun: ['get'], Secret: ['get'] },
  },
  'dead-letters': {},
  // Sees everything of tidemill's, since anybody may change it: labels what kubectl made, answers annotations, strikes outboxes, and takes away
  // what belonged to a project that is gone.
  watcher: {
    cluster: { ...LOOKS, ProjectNamespace: ['list', 'watch'], Lane: ['list', 'watch'], TaskRun: ['list', 'watch'] },
    project: {
      Project: [...WATCHES, 'patch'],
      Pipeline: WATCHES,
      Execution: [...READS, 'delete', 'status'],
      Lane: [...READS, 'delete', 'status'],
      Artifact: [...WATCHES, 'patch', 'delete'],
      Release: [...WATCHES, 'patch', 'delete'],
      Hook: [...WATCHES, 'patch', 'delete'],
      Credential: WATCHES,
      TaskRun: [...READS, 'delete'],
      Event: ['create'],
      Pod: ['get'],
      PodLog: ['get'],
      Secret: ['get', 'delete'],
    },
    system: { Lease: ['get', 'create', 'update'], Push: [...READS, 'status'], Event: ['create'] },
  },
};

/** Whether its pods are given the token of its service account: only those that ask the API server for something. */
export function automount(name: string): boolean {
  const all: Readonly<Record<string, Rights>> = rights;
  return Object.keys(all[name] ?? {}).length > 0;
}
