// Projects that people write: read for the first time, built for the first time, and run when an annotation asks for it.
import { credentialRef, productionBranch } from '../../../shared/decisions/names.ts';
import { localPath } from '../../../shared/decisions/source/repository.ts';
import { BranchNotFound, recordFailure, recordReady } from '../../../shared/host/project-ready.ts';
import { gitRef } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { GitError } from '../../../shared/ports/git.ts';
import type { Head, Repository } from '../../../shared/ports/git.ts';
import type { Duties } from '../deps.ts';
import { doubled, type Duty } from '../follow/duty.ts';
import { annotated, annotation, ANSWERED, ASK } from './annotations.ts';
import { hasLabels, settling } from './labels.ts';

type Project = Obj<'Project'>;

/** A repository that cannot be read is asked again so soon, and then ever more seldom. */
const RETRY_MS = 15_000;

/**
 * What `tidemill add` does beside writing the object: looks whether the repository can be read, keeps its default branch, and asks for
 * the first build, by the very event that the API asks with. Repositories that are polled are looked at by the poll.
 */
export function firstLook(duties: Duties): Duty<'Project'> {
  const { objects, git, ringAsApi, now } = duties;
  return {
    name: 'first-look',
    due: (project, { valid }) => (valid && hasLabels(project) && !isPolled(project) && !wasRead(project) ? settling(project, duties) : undefined),
    act: async (project, times) => {
      try {
        const { defaultBranch, heads } = await git.heads(repositoryOf(project));
        const branch = productionBranch({ spec: project.spec, status: { ...project.status, ...(defaultBranch && { defaultBranch }) } });
        const ref = `refs/heads/${branch}`;
        // An empty one has something to build when it is pushed to.
        if (heads.length > 0 && !heads.some((head) => head.ref === ref)) throw new BranchNotFound(branch, heads);
        if (!project.spec.paused && heads.length > 0) {
          const { namespace, name, uid } = project.metadata;
          const data = { namespace, project: name, ref, trigger: 'auto' as const };
          await ringAsApi({ type: 'dev.tidemill.execution.requested.v1', subject: name, data }, `first-${uid}`);
        }
        await recordReady(objects, project, { defaultBranch }, now());
        return undefined;
      } catch (error) {
        if (!(error instanceof GitError || error instanceof BranchNotFound)) throw error;
        await recordFailure(objects, project, error, now());
        return doubled(RETRY_MS, times);
      }
    },
  };
}

/** `tidemill.dev/trigger: <anything new>`: a run of the branch that is released, or of what `tidemill.dev/trigger-ref` names. */
export function triggered({ objects, git, ring, note, now }: Duties): Duty<'Project'> {
  return {
    name: 'trigger',
    due: (project, { valid }) => (valid && asked(project) !== undefined ? 0 : undefined),
    act: async (project) => {
      const wanted = asked(project);
      if (wanted === undefined) return;
      const { namespace, name, uid } = project.metadata;
      const found = await refOf(project, git);
      if ('problem' in found) note(project, { type: 'Warning', reason: 'TriggerRefused', message: found.problem, at: now() });
      else {
        const data = { namespace, project: name, trigger: 'user' as const, ...(found.ref && { ref: found.ref }) };
        await ring({ type: 'dev.tidemill.execution.requested.v1', subject: name, data }, `trigger-${uid}-${wanted}`);
      }
      await objects.update(annotated(project, { [ANSWERED.trigger]: wanted }));
    },
  };
}

function asked(project: Project): string | undefined {
  const wanted = annotation(project, ASK.trigger);
  return wanted && wanted !== annotation(project, ANSWERED.trigger) ? wanted : undefined;
}

/** The full ref, or SHA, that a person means; branches win over tags. Throws GitError "unreachable", to be tried again. */
async function refOf(project: Project, git: Duties['git']): Promise<{ ref?: string } | { problem: string }> {
  const wanted = annotation(project, ASK.triggerRef);
  if (!wanted) return { ref: `refs/heads/${productionBranch(project)}` };
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(wanted)) return { ref: wanted };
  if (!gitRef.safeParse(wanted).success) return { problem: `${ASK.triggerRef} is not a valid ref name` };
  let heads: Head[];
  try {
    ({ heads } = await git.heads(repositoryOf(project)));
  } catch (error) {
    if (error instanceof GitError && error.kind !== 'unreachable') return { problem: error.message };
    throw error;
  }
  const meant = wanted.startsWith('refs/') ? [wanted] : [`refs/heads/${wanted}`, `refs/tags/${wanted}`];
  const ref = meant.find((full) => heads.some((head) => head.ref === full));
  return ref ? { ref } : { problem: `The repository has no branch or tag "${wanted}". A commit has to be given by its full SHA.` };
}

function isPolled({ spec }: Project): boolean {
  return spec.poll !== undefined && localPath(spec.source.url) === undefined;
}

function wasRead({ status }: Project): boolean {
  return status?.defaultBranch !== undefined || status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
}

function repositoryOf({ metadata, spec }: Project): Repository {
  const { url, credential } = spec.source;
  return { url, ...(credential && { credential: credentialRef(metadata.namespace, credential) }) };
}
