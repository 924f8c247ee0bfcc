// Every event type that travels between functions, each with the zod schema of its data.
// Names: dev.tidemill.<noun>.<verb>.v1. TaskRun events are Tekton's own, in the form that a real Tekton 1.15 sends; ticks are those of Knative's PingSource.
import { z } from 'zod';
import { digest, gitRef, gitSha, name, namespace, reason, text, timestamp, url } from '../objects/fields.ts';
import { object } from '../objects/lazily.ts';

/** What a git server, a poll of one, or a local repository told: a ref moved from one commit to another. */
const refChange = {
  /** Clone URL or local path of the repository, as the teller spells it. */
  repository: url,
  /** The server's own id of the repository, where the teller knows it: it survives a rename. */
  repositoryId: text(64).optional(),
  /** Full ref name, such as refs/heads/main. */
  ref: gitRef,
  /** SHA that the ref had before; forty zeros when it is new. */
  before: gitSha,
  /** When it was pushed, as the server says it; a poll cannot know. */
  pushedAt: timestamp.optional(),
  /** Who tells of it. */
  teller: z.enum(['webhook', 'poll']),
  /** Login of whoever pushed, where known. */
  by: text(128).optional(),
  /** Digest of the raw body in Storage, for tellers that sent one. */
  body: digest.optional(),
};

const execution = { namespace, project: name, execution: name };
/** `execution` is what waits for it, if anything does. */
const artifact = { namespace, project: name, execution: name.optional(), artifact: name };
/** `admitted`: the execution has a slot of its lane, which it keeps until it ends. Where it is not said, the lane is looked at. */
const source = { ...artifact, admitted: z.boolean().optional() };

const taskRunData = object(() => ({ taskRun: z.looseObject({ metadata: z.looseObject({ name, namespace, uid: text(64) }) }) }));

/** Who asked: a person, a webhook, a clock, or tidemill itself by rule. */
export const trigger = z.enum(['user', 'webhook', 'poll', 'cron', 'auto']);

export const releaseAction = z.enum(['deploy', 'rollback', 'retire']);

export const eventData = {
  /** A branch was created or moved. */
  'dev.tidemill.git.push.v1': object(() => ({ ...refChange, after: gitSha, forced: z.boolean().optional() })),
  /** A tag was created or moved. */
  'dev.tidemill.git.tag.v1': object(() => ({ ...refChange, after: gitSha })),
  /** A branch was deleted. */
  'dev.tidemill.git.branch-deleted.v1': z.object(refChange),
  /** A pull request was opened, changed or closed. */
  'dev.tidemill.pull-request.changed.v1': object(() => ({
    repository: url,
    repositoryId: text(64).optional(),
    number: z.int().positive(),
    action: text(64),
    head: gitSha,
    headRef: gitRef,
    baseRef: gitRef,
    /** The head is in another repository: its code is a stranger's. */
    fork: z.boolean(),
    by: text(128).optional(),
    body: digest.optional(),
  })),
  /** Somebody wants a run: the API, a clock, a rerun. */
  'dev.tidemill.execution.requested.v1': object(() => ({
    namespace,
    project: name,
    /** Branch, tag or SHA; absent: the head of the default branch. */
    ref: gitRef.optional(),
    trigger,
    by: text(128).optional(),
    /** Name of an execution whose commit and definition are to be run again. */
    rerunOf: name.optional(),
  })),
  /** Somebody wants a running or waiting execution to end. */
  'dev.tidemill.execution.cancel-requested.v1': object(() => ({ ...execution, by: text(128).optional(), reason })),
  /** Its lane has a slot for it now. */
  'dev.tidemill.execution.admitted.v1': z.object(execution),
  'dev.tidemill.execution.started.v1': object(() => ({ ...execution, number: z.int().positive(), sha: gitSha, ref: gitRef })),
  /** Terminal: succeeded, failed or cancelled. */
  'dev.tidemill.execution.finished.v1': object(() => ({
    ...execution,
    lane: name,
    number: z.int().positive(),
    outcome: z.enum(['Succeeded', 'Failed', 'Cancelled']),
    reason: reason.optional(),
  })),
  /** An Artifact object was made and waits to be resolved. */
  'dev.tidemill.artifact.requested.v1': object(() => ({ ...source })),
  'dev.tidemill.artifact.resolved.v1': object(() => ({
    ...source,
    type: z.enum(['git', 'site']),
    digest: text(160),
    /** Of type git. */
    commit: z.object({ sha: gitSha, commitTime: timestamp, subject: z.string().max(512).optional() }).optional(),
  })),
  'dev.tidemill.artifact.failed.v1': object(() => ({ ...artifact, reason })),
  /** Somebody, or a rule, wants the pointer of an environment moved. */
  'dev.tidemill.release.requested.v1': object(() => ({
    namespace,
    project: name,
    environment: name,
    action: releaseAction,
    /** What to deploy. For rollback: the version to go back to, else the one that was live before. */
    artifact: name.optional(),
    version: text(128).optional(),
    trigger,
    by: text(128).optional(),
    /**
     * Lane number of the execution that made the artifact: an automatic release never goes back in it.
     * For retire: the newest there was; what was begun up to then is no longer released by itself.
     */
    number: z.int().positive().optional(),
    /** The lane that the number counts in. */
    lane: name.optional(),
    /** The branch had moved on before this commit's execution was opened: never released by itself. */
    outdated: z.boolean().optional(),
  })),
  'dev.tidemill.release.deployed.v1': object(() => ({
    namespace,
    project: name,
    environment: name,
    release: name,
    artifact: name,
    version: text(128),
    digest,
  })),
  'dev.tidemill.release.rolledback.v1': object(() => ({
    namespace,
    project: name,
    environment: name,
    release: name,
    artifact: name,
    version: text(128),
    digest,
  })),
  'dev.tidemill.release.retired.v1': object(() => ({ namespace, project: name, environment: name, release: name })),
  'dev.tidemill.release.refused.v1': object(() => ({ namespace, project: name, environment: name, artifact: name.optional(), reason })),
  /** One hook is to be told of one event: the unit of retry. */
  'dev.tidemill.hook.requested.v1': object(() => ({ namespace, hook: name, event: z.looseObject({ id: text(256), source: text(512), type: text(128) }) })),
  'dev.tidemill.hook.delivered.v1': object(() => ({ namespace, hook: name, eventId: text(256), status: z.int(), attempts: z.int().positive() })),
  'dev.tidemill.hook.dead.v1': object(() => ({ namespace, hook: name, eventId: text(256), attempts: z.int().positive(), reason })),
  /** A clock struck. `tick`: the function that it is for. */
  'dev.knative.sources.ping': object(() => ({ tick: name })),
  'dev.tekton.event.taskrun.queued.v1': taskRunData,
  'dev.tekton.event.taskrun.unknown.v1': taskRunData,
  'dev.tekton.event.taskrun.running.v1': taskRunData,
  'dev.tekton.event.taskrun.successful.v1': taskRunData,
  'dev.tekton.event.taskrun.failed.v1': taskRunData,
} as const;

export type EventType = keyof typeof eventData;
export type EventData<T extends EventType> = z.infer<(typeof eventData)[T]>;

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(eventData, type);
}
