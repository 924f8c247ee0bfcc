// Somebody asks for a run: open an execution of the ref, or of the commit that an earlier one had.
import { openExecution, type Request } from '../../shared/host/open-execution.ts';
import { type Handler, Refused } from '../../shared/host/contract.ts';
import { LaneFull } from '../../shared/decisions/lane.ts';
import { branchRef, productionBranch } from '../../shared/decisions/names.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import type { functions } from '../graph.ts';

export const handle: Handler<(typeof functions)['execution-requested']> = async (event, { objects }) => {
  const { namespace, project: name, trigger, by, rerunOf } = event.data;
  const project = await objects.get('Project', { namespace, name });
  if (!project) throw new Refused(`There is no project ${name}; it was removed, or never added`);
  const earlier = rerunOf ? await commitOf(objects, namespace, rerunOf) : undefined;
  const ref = earlier?.ref ?? event.data.ref ?? branchRef(productionBranch(project));
  return openOrRefuse(objects, {
    project,
    ref,
    cause: event.id,
    trigger,
    ...(by && { by }),
    ...(earlier?.sha && { sha: earlier.sha }),
    ...(rerunOf && { rerun: { of: rerunOf, outdated: earlier?.outdated } }),
  });
};

async function openOrRefuse(objects: Objects, request: Request) {
  try {
    const { create, outputs } = await openExecution(objects, request);
    return { create, outputs };
  } catch (error) {
    if (error instanceof LaneFull) throw new Refused(error.message, { cause: error });
    throw error;
  }
}

async function commitOf(objects: Objects, namespace: string, name: string): Promise<{ ref: string; sha?: string | undefined; outdated?: string | undefined }> {
  const execution = await objects.get('Execution', { namespace, name });
  if (!execution) throw new Refused(`There is no execution ${name} to run again`);
  return { ref: execution.spec.ref, sha: execution.status?.sha ?? execution.spec.sha, outdated: execution.spec.outdated };
}
