// Which version becomes live. Pure: the pointer and a request in, the pointer or a refusal out.
import type { EventData } from '../events/types.ts';
import type { Obj, StatusOf } from '../objects/kinds.ts';
import type { Deployment } from '../objects/release.ts';

type Status = StatusOf<'Release'>;
type Request = EventData<'dev.tidemill.release.requested.v1'>;

const KEPT = 100;

export type Decision = { status: Status; live: Deployment } | { same: Deployment } | { refused: string };

/** Deploys an artifact. An automatic request never replaces something newer; a person's may. */
export function decideDeploy(status: Status, request: Request, artifact: Obj<'Artifact'>, now: string): Decision {
  if (request.trigger !== 'user') {
    const refused = whyNotByItself(status, request);
    if (refused) return { refused };
  }
  const made = deploymentOf(artifact, request, now);
  if (!made)
    return { refused: `${artifact.metadata.name} is no site that can be served: it is ${artifact.spec.type}, ${artifact.status?.phase ?? 'Unresolved'}` };
  if (status.current?.artifact === made.artifact) return { same: status.current };
  return { status: moved(status, made), live: made };
}

/** Goes back: to the version named, or to the one that was live before the present one was first deployed. */
export function decideRollback(status: Status, request: Request, now: string): Decision {
  if (!status.current) return { refused: 'nothing is live here, so there is nothing to roll back' };
  if (request.version === status.current.version) return { same: status.current };
  const target = request.version ? status.history.find((entry) => entry.version === request.version) : previous(status);
  if (!target) {
    return { refused: request.version ? `version ${request.version} was never live here; deploy it instead` : 'no earlier version was live here' };
  }
  const { rollback: _rollback, by: _by, ...same } = target;
  const made: Deployment = { ...same, at: now, trigger: request.trigger, rollback: true, ...(request.by && { by: request.by }) };
  return { status: moved(status, made), live: made };
}

/** Takes an environment off the air; its history stays. With a number: what was begun up to then cannot come back by itself. */
export function decideRetire(status: Status, { lane, number }: Pick<Request, 'lane' | 'number'>): Status {
  const { current, ...rest } = status;
  return {
    ...rest,
    ...(lane && number !== undefined && { retired: { lane, number } }),
    history: current ? [current, ...status.history].slice(0, KEPT) : status.history,
  };
}

function whyNotByItself(status: Status, request: Request): string | undefined {
  if (request.outdated) return 'the branch had moved on before this commit was built; deploy it by its version if it is wanted';
  if (request.number === undefined) return undefined;
  if (status.retired && status.retired.lane === request.lane && request.number <= status.retired.number) {
    return 'its branch was deleted after this was begun; deploy it by its version if it is wanted';
  }
  const newest = Math.max(0, ...[status.current, ...status.history].map((entry) => (entry?.lane === request.lane && entry?.number) || 0));
  if (request.number < newest) {
    return `execution number ${request.number} is older than number ${newest}, which was live already; deploy it by its version if it is wanted`;
  }
  return undefined;
}

function deploymentOf(artifact: Obj<'Artifact'>, request: Request, now: string): Deployment | undefined {
  if (artifact.spec.type !== 'site' || artifact.status?.phase !== 'Resolved' || !artifact.status.version) return undefined;
  return {
    artifact: artifact.metadata.name,
    version: artifact.status.version,
    manifest: artifact.spec.manifest,
    ...(artifact.spec.site && { site: artifact.spec.site }),
    at: now,
    trigger: request.trigger,
    ...(request.number !== undefined && { number: request.number }),
    ...(request.lane && { lane: request.lane }),
    ...(request.by && { by: request.by }),
  };
}

/**
 * What was live right before the present one was deployed. After a rollback: what was live before the version that
 * it went back to was first deployed, so that rolling back again goes further back and comes to an end.
 */
function previous({ current, history }: Status): Deployment | undefined {
  if (!current?.rollback) return history.find((entry) => entry.version !== current?.version);
  const first = history.findLastIndex((entry) => entry.version === current.version && !entry.rollback);
  // Its first deployment is forgotten, and with it everything that came before.
  if (first < 0) return undefined;
  return history.slice(first + 1).find((entry) => !entry.rollback && entry.version !== current.version);
}

function moved(status: Status, to: Deployment): Status {
  const { refused: _refused, ...rest } = status;
  return { ...rest, current: to, history: status.current ? [status.current, ...status.history].slice(0, KEPT) : status.history };
}
