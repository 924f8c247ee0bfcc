// The only wiring table: who consumes what, who emits what, and which ports each may reach.
// From it come the subscriptions of one machine, the diagram in the README, and later Triggers and consumers.
import type { EventType } from '../shared/events/types.ts';

export type PortName = 'objects' | 'storage' | 'runner' | 'git' | 'secrets';

export interface FunctionEntry {
  /** One line for the diagram. */
  does: string;
  consumes: readonly EventType[];
  emits: readonly EventType[];
  needs: readonly PortName[];
  /** Handled side by side, on one machine. Default 8. */
  concurrency?: number;
  /** Then the dead letter. Default 10. */
  maxAttempts?: number;
}

const tick = 'dev.knative.sources.ping';
const taskRunEnded = ['dev.tekton.event.taskrun.successful.v1', 'dev.tekton.event.taskrun.failed.v1'] as const;

/** Functions that handle one CloudEvent each. */
export const functions = {
  'git-push': {
    does: 'finds the projects that a push concerns and opens an execution for each',
    consumes: ['dev.tidemill.git.push.v1', 'dev.tidemill.git.tag.v1', 'dev.tidemill.git.branch-deleted.v1', 'dev.tidemill.pull-request.changed.v1'],
    emits: [
      'dev.tidemill.artifact.requested.v1',
      'dev.tidemill.artifact.resolved.v1',
      'dev.tidemill.execution.cancel-requested.v1',
      'dev.tidemill.release.requested.v1',
    ],
    needs: ['objects'],
  },
  'execution-requested': {
    does: 'opens an execution that a person, a clock or a rerun asks for',
    consumes: ['dev.tidemill.execution.requested.v1'],
    emits: ['dev.tidemill.artifact.requested.v1', 'dev.tidemill.artifact.resolved.v1', 'dev.tidemill.execution.cancel-requested.v1'],
    needs: ['objects'],
  },
  'artifact-requested': {
    does: 'resolves a source to a commit by its full SHA',
    consumes: ['dev.tidemill.artifact.requested.v1'],
    emits: ['dev.tidemill.artifact.resolved.v1', 'dev.tidemill.artifact.failed.v1'],
    needs: ['objects', 'git'],
  },
  'artifact-resolved': {
    does: 'starts what waited for it: the first stage, or a release',
    consumes: ['dev.tidemill.artifact.resolved.v1'],
    emits: ['dev.tidemill.execution.started.v1', 'dev.tidemill.execution.finished.v1', 'dev.tidemill.release.requested.v1'],
    needs: ['objects', 'git', 'runner'],
  },
  'artifact-failed': {
    does: 'closes the execution whose source could not be resolved',
    consumes: ['dev.tidemill.artifact.failed.v1'],
    emits: ['dev.tidemill.execution.finished.v1'],
    needs: ['objects'],
  },
  'taskrun-finished': {
    does: 'records the step, registers its output, starts the next stage or closes the run',
    consumes: taskRunEnded,
    emits: ['dev.tidemill.artifact.resolved.v1', 'dev.tidemill.execution.finished.v1'],
    needs: ['objects', 'storage', 'runner'],
  },
  'execution-cancel': {
    does: 'ends a running or waiting execution',
    consumes: ['dev.tidemill.execution.cancel-requested.v1'],
    emits: ['dev.tidemill.execution.finished.v1'],
    needs: ['objects', 'runner'],
  },
  'lane-advance': {
    does: 'gives the freed slot of a lane to the next in line',
    consumes: ['dev.tidemill.execution.finished.v1'],
    emits: ['dev.tidemill.execution.admitted.v1'],
    needs: ['objects'],
  },
  'execution-admitted': {
    does: 'starts the first stage of an execution that waited for its lane',
    consumes: ['dev.tidemill.execution.admitted.v1'],
    emits: ['dev.tidemill.execution.started.v1', 'dev.tidemill.execution.finished.v1'],
    needs: ['objects', 'runner'],
  },
  'release-requested': {
    does: 'checks the request against what is live, and moves the pointer',
    consumes: ['dev.tidemill.release.requested.v1'],
    emits: ['dev.tidemill.release.deployed.v1', 'dev.tidemill.release.rolledback.v1', 'dev.tidemill.release.retired.v1', 'dev.tidemill.release.refused.v1'],
    needs: ['objects'],
  },
  'hook-dispatch': {
    does: 'one delivery for each hook that wants the event',
    consumes: [
      'dev.tidemill.execution.started.v1',
      'dev.tidemill.execution.finished.v1',
      'dev.tidemill.artifact.resolved.v1',
      'dev.tidemill.artifact.failed.v1',
      'dev.tidemill.release.deployed.v1',
      'dev.tidemill.release.rolledback.v1',
      'dev.tidemill.release.retired.v1',
      'dev.tidemill.release.refused.v1',
    ],
    emits: ['dev.tidemill.hook.requested.v1'],
    needs: ['objects'],
  },
  'hook-delivery': {
    does: 'one signed POST, again until it is taken',
    consumes: ['dev.tidemill.hook.requested.v1'],
    emits: ['dev.tidemill.hook.delivered.v1', 'dev.tidemill.hook.dead.v1'],
    needs: ['objects', 'secrets'],
    concurrency: 32,
    maxAttempts: 20,
  },
  'storage-sweep': {
    does: 'takes away what writers that died left half-written in the storage',
    consumes: [tick],
    emits: [],
    needs: ['storage'],
  },
} as const satisfies Record<string, FunctionEntry>;

export interface EdgeEntry {
  does: string;
  emits: readonly EventType[];
  needs: readonly PortName[];
  /** Functions that what comes in here needs soon, one after the other: where they sleep they are woken at once. A hint, and never an event. */
  wakes?: readonly string[];
  /** Where it exists; absent: wherever tidemill runs. */
  only?: 'cluster';
}

/** Functions that answer HTTP, or a clock. What they emit enters the graph here. */
export const edges = {
  'github-webhook': {
    does: 'verifies the raw bytes, keeps them, answers 202',
    wakes: ['git-push', 'artifact-requested', 'artifact-resolved'],
    emits: ['dev.tidemill.git.push.v1', 'dev.tidemill.git.tag.v1', 'dev.tidemill.git.branch-deleted.v1', 'dev.tidemill.pull-request.changed.v1'],
    needs: ['storage'],
  },
  'repository-watch': {
    does: 'tells of new commits where no webhook reaches',
    emits: ['dev.tidemill.git.push.v1', 'dev.tidemill.git.tag.v1', 'dev.tidemill.git.branch-deleted.v1', 'dev.tidemill.execution.requested.v1'],
    needs: ['objects', 'git'],
  },
  api: {
    does: 'the REST API',
    emits: [
      'dev.tidemill.execution.requested.v1',
      'dev.tidemill.execution.cancel-requested.v1',
      'dev.tidemill.release.requested.v1',
      // A test delivery, which a person asks for.
      'dev.tidemill.hook.requested.v1',
    ],
    needs: ['objects', 'storage', 'runner', 'git', 'secrets'],
  },
  site: { does: 'serves what is released', emits: [], needs: ['objects', 'storage'] },
  bytes: {
    does: 'gives a running step, for its token, what it may read and write',
    emits: [],
    needs: ['objects', 'storage', 'secrets'],
    only: 'cluster',
  },
  watcher: {
    does: 'tells of what people changed with kubectl and of TaskRuns that ended, and rings again for what was left behind',
    emits: [
      'dev.tidemill.artifact.requested.v1',
      'dev.tidemill.artifact.resolved.v1',
      'dev.tidemill.artifact.failed.v1',
      'dev.tidemill.execution.requested.v1',
      'dev.tidemill.execution.admitted.v1',
      'dev.tidemill.execution.cancel-requested.v1',
      'dev.tidemill.execution.finished.v1',
      'dev.tidemill.release.requested.v1',
    ],
    needs: ['objects', 'storage', 'runner', 'git', 'secrets'],
    only: 'cluster',
  },
  'dead-letters': {
    does: 'keeps what the Knative Broker gave up on',
    emits: [],
    needs: ['storage'],
    only: 'cluster',
  },
} as const satisfies Record<string, EdgeEntry>;

/** Emitted by the runner, in Tekton's form. */
export const runnerEmits = [
  'dev.tekton.event.taskrun.queued.v1',
  'dev.tekton.event.taskrun.unknown.v1',
  'dev.tekton.event.taskrun.running.v1',
  ...taskRunEnded,
] as const;

/** Emitted by the clock, for each entry of `ticks`, in the form of Knative's PingSource. */
export const clockEmits = [tick] as const;

/** Types that may go without a consumer here: they are for people, hooks and other programs. */
export const publicTypes = [
  'dev.tidemill.execution.started.v1',
  'dev.tidemill.release.deployed.v1',
  'dev.tidemill.release.rolledback.v1',
  'dev.tidemill.release.retired.v1',
  'dev.tidemill.release.refused.v1',
  'dev.tidemill.hook.delivered.v1',
  'dev.tidemill.hook.dead.v1',
  'dev.tekton.event.taskrun.queued.v1',
  'dev.tekton.event.taskrun.unknown.v1',
  'dev.tekton.event.taskrun.running.v1',
] as const satisfies readonly EventType[];

/** Cycles in the graph that are meant, each with what makes it end. "runner" stands for the work between two events. */
export const knownCycles: readonly { through: readonly string[]; ends: string }[] = [
  { through: ['lane-advance', 'execution-admitted'], ends: 'an execution finishes once, and each turn takes one out of its lane' },
  { through: ['runner', 'taskrun-finished'], ends: 'each turn starts a later stage, and a definition has 50 at most' },
  {
    through: ['runner', 'taskrun-finished', 'artifact-resolved'],
    ends: 'only a resolved commit starts work; what comes of work is a site, which asks for a release',
  },
  { through: ['runner', 'taskrun-finished', 'lane-advance', 'execution-admitted'], ends: 'each turn takes one waiting execution out of its lane' },
  {
    through: ['runner', 'taskrun-finished', 'artifact-resolved', 'lane-advance', 'execution-admitted'],
    ends: 'an execution that closes before its first stage leaves its lane, and each turn takes one waiting execution out of it',
  },
];

export type FunctionName = keyof typeof functions;

export interface TickEntry {
  /** Five fields of cron, in UTC: minute, hour, day of the month, month, day of the week. */
  schedule: string;
}

/**
 * Functions that a clock wakes: each consumes the tick's type, and hears of its own ticks alone. On Knative the clock is a PingSource for each, elsewhere
 * tidemill's own (shared/ticks), in the one process of one machine or in the watcher that leads. A tick that was missed while no clock ran is told once at most.
 */
export const ticks = {
  'storage-sweep': { schedule: '17 * * * *' },
} as const satisfies Partial<Record<FunctionName, TickEntry>>;
