// One repository that is watched for the projects that are built from it: looks at its refs, tells what moved, remembers what it told.
import { credentialRef } from '../../shared/decisions/names.ts';
import { canonicalRepository, localPath } from '../../shared/decisions/source/repository.ts';
import type { Log } from '../../shared/host/contract.ts';
import { recordFailure, recordReady } from '../../shared/host/project-ready.ts';
import type { Obj, StatusOf } from '../../shared/objects/kinds.ts';
import type { Git, Head, Repository } from '../../shared/ports/git.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import { digestOf, isOld, marksOf, type Move, moveOf, type Recorded, type Remembered } from './decide.ts';
import { builtBranches, newestPush, readRecorded } from './recorded.ts';
import { deletedEvent, firstBuildEvent, pushEvent, type Telling, type WatchEvent } from './tell.ts';

export interface WatchDeps {
  objects: Objects;
  git: Git;
  /** Durable when it resolves. */
  publish: (events: WatchEvent[]) => Promise<void>;
  /** RFC 3339, UTC. */
  now: () => string;
  log: Log;
  /** Namespace of Pushes. Default "default". */
  home?: string;
  /** Repositories on this machine are watched too. Default true; false where many machines are one. */
  allowLocal?: boolean;
}

/** The watch was stopped while a look was under way: nothing is told or recorded any more. */
class Stopped extends Error {
  override name = 'Stopped';
}

export interface Watched {
  /** By namespace/name; as they are now. */
  projects: Map<string, Obj<'Project'>>;
  /** Looks once and tells what moved. Throws what kept it from that, after having recorded it. */
  look(): Promise<void>;
  /** A look that is under way comes to nothing. */
  stop(): void;
}

const OF_ONE_PUBLISH = 50;

/** Which projects are watched together: those that read one repository in one way. */
export function watchKey({ metadata, spec }: Obj<'Project'>): string {
  return `${canonicalRepository(spec.source.url)}\0${spec.source.credential ? credentialRef(metadata.namespace, spec.source.credential) : ''}`;
}

export function createWatched(deps: WatchDeps): Watched {
  const { objects, git, log } = deps;
  const projects = new Map<string, Obj<'Project'>>();
  const remembered = new Map<string, Remembered>();
  /** How often this process told one and the same move. */
  const times = new Map<string, number>();
  const checkedForDeleted = new Set<string>();
  let stopped = false;

  function goOn(): void {
    if (stopped) throw new Stopped('the watch was stopped');
  }

  async function publish(events: WatchEvent[]): Promise<void> {
    goOn();
    await deps.publish(events);
  }

  async function look(): Promise<void> {
    const all = [...projects.values()];
    const first = all[0];
    if (!first) return;
    const { url, credential } = first.spec.source;
    const repository: Repository = { url, ...(credential && { credential: credentialRef(first.metadata.namespace, credential) }) };
    try {
      const { heads, defaultBranch } = await git.heads(repository);
      goOn();
      await tell(repository, heads, all, defaultBranch);
      for (const project of all) {
        const known = localPath(url) === undefined ? defaultBranch : (project.status?.defaultBranch ?? defaultBranch);
        const now = await recordReady(objects, project, { defaultBranch: known, marks: project.status?.seen ? undefined : marksOf(heads) }, deps.now());
        // The watch will say so too, but perhaps after the next look.
        const id = `${project.metadata.namespace}/${project.metadata.name}`;
        if (now && projects.has(id)) projects.set(id, now);
      }
    } catch (error) {
      if (!stopped) for (const project of all) await recordFailure(objects, project, error as Error, deps.now());
      throw error;
    }
  }

  async function tell(repository: Repository, heads: readonly Head[], all: readonly Obj<'Project'>[], defaultBranch: string | undefined): Promise<void> {
    const newcomers = all.filter((project) => !project.status?.seen);
    const settled = all.filter((project) => project.status?.seen);
    const marks = settled.map((project) => new Set(project.status!.seen));
    const productions = new Set(newcomers.map((project) => `refs/heads/${productionBranch(project, defaultBranch)}`));
    for (const head of heads) {
      const wanted = productions.has(head.ref);
      const before = remembered.get(head.ref);
      if (before?.sha === head.sha && !wanted) continue;
      const recorded = await readRecorded(deps, repository.url, all, head.ref);
      const move = moveOf(head, recorded, before, !wanted && isOld(head, marks));
      if (move) await publishMove(repository, move, recorded);
      else if (wanted && isRecorded(recorded, head.sha)) await firstBuilds(repository, head, newcomers, defaultBranch);
      remembered.set(head.ref, { sha: head.sha, recorded: digestOf(recorded) });
    }
    await tellDeleted(repository, heads, all);
  }

  async function publishMove(repository: Repository, move: Move, recorded: Recorded): Promise<void> {
    const event = pushEvent(move, await telling(repository, move.after, occasion(`${move.ref} ${move.before} ${move.after}`, recorded.push?.name)));
    await publish([event]);
    log.info({ repository: canonicalRepository(repository.url), ref: move.ref, before: move.before, after: move.after, event: event.id }, 'a ref moved');
  }

  /** The head of a newcomer's branch was told before the project was there: by itself it would wait for the next push. */
  async function firstBuilds(repository: Repository, head: Head, newcomers: readonly Obj<'Project'>[], defaultBranch: string | undefined): Promise<void> {
    const push = await newestPush(deps, repository.url, head.ref);
    // A push that is not answered yet finds the project by itself.
    if (push && (push.spec.after !== head.sha || !isAnswered(push.status))) return;
    const answered = new Set(push?.status?.results.map(({ namespace, project }) => `${namespace}/${project}`));
    for (const project of newcomers) {
      const { namespace, name } = project.metadata;
      if (answered.has(`${namespace}/${name}`) || head.ref !== `refs/heads/${productionBranch(project, defaultBranch)}`) continue;
      const { lanes } = await readRecorded(deps, repository.url, [project], head.ref);
      if (!lanes.includes(head.sha)) await publish([firstBuildEvent(project, head.ref, head.sha, await telling(repository, head.sha, ''))]);
    }
  }

  /** Branches that this process saw, or that were built in earlier ones, and that are gone. */
  async function tellDeleted(repository: Repository, heads: readonly Head[], all: readonly Obj<'Project'>[]): Promise<void> {
    const there = new Set(heads.map((head) => head.ref));
    const gone = new Map<string, string>();
    for (const [ref, { sha }] of remembered) {
      if (there.has(ref)) continue;
      if (ref.startsWith('refs/heads/')) gone.set(ref, sha);
      else remembered.delete(ref);
    }
    const unchecked = all.filter((project) => !checkedForDeleted.has(project.metadata.uid));
    for (const project of unchecked) for await (const { ref, sha } of builtBranches(objects, project)) if (!there.has(ref)) gone.set(ref, gone.get(ref) ?? sha);
    const events: WatchEvent[] = [];
    for (const [ref, before] of gone) {
      const push = await newestPush(deps, repository.url, ref);
      const wasTold = push?.spec.kind === 'branch-deleted';
      if (!wasTold)
        events.push(
          deletedEvent(ref, before, { url: repository.url, commitTime: 0, occasion: occasion(`${ref} ${before} -`, push?.metadata.name), now: deps.now() }),
        );
    }
    for (let at = 0; at < events.length; at += OF_ONE_PUBLISH) await publish(events.slice(at, at + OF_ONE_PUBLISH));
    for (const ref of gone.keys()) remembered.delete(ref);
    for (const project of unchecked) checkedForDeleted.add(project.metadata.uid);
  }

  /** What tells this move from the same move at another time; the same again when nothing was recorded since, as after a crash. */
  function occasion(move: string, push: string | undefined): string {
    const id = `${move} ${push ?? ''}`;
    const count = times.get(id) ?? 0;
    if (times.size > 10_000) times.clear();
    times.set(id, count + 1);
    return count === 0 ? (push ?? '') : `${push ?? ''} ${count}`;
  }

  async function telling(repository: Repository, sha: string, occasionOf: string): Promise<Telling> {
    const { commitTime } = await git.resolve(repository, sha);
    return { url: repository.url, commitTime: Date.parse(commitTime), occasion: occasionOf, now: deps.now() };
  }

  return {
    projects,
    look,
    stop: () => void (stopped = true),
  };
}

function isRecorded({ lanes, push }: Recorded, sha: string): boolean {
  return lanes.includes(sha) || push?.after === sha;
}

function isAnswered(status: StatusOf<'Push'> | undefined): boolean {
  return status !== undefined && (status.results.length > 0 || status.skipped !== undefined);
}

function productionBranch({ spec, status }: Obj<'Project'>, defaultBranch: string | undefined): string | undefined {
  return spec.source.branch ?? status?.defaultBranch ?? defaultBranch;
}
