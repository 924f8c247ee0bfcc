// The end of a project: nothing new begins, what runs is ended, its objects go. Killed half-way, the same request goes on where it stopped.
import { z } from 'zod';
import { storageFolder } from '../../../shared/decisions/names.ts';
import { eachObject } from '../../../shared/host/modify.ts';
import type { Kind } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { isDone } from '../../../shared/objects/taskrun.ts';
import { Conflict, NotFound } from '../../../shared/ports/objects.ts';
import type { Api } from '../deps.ts';
import { find } from '../http/reply.ts';

/** Releases first: the site is gone before what it was made from. */
const BELONGINGS = ['Release', 'Lane', 'Execution', 'TaskRun', 'Artifact', 'Hook'] as const satisfies readonly Kind[];

export const deletedProject = z.object({
  deleted: z.string(),
  /** How many objects of each kind went with it. */
  objects: z.record(z.string(), z.int()),
  /** What stays, and where. */
  kept: z.string(),
});
export type DeletedProject = z.infer<typeof deletedProject>;

export async function deleteProject(api: Api, name: string): Promise<DeletedProject> {
  await pause(api, name);
  await endRuns(api, name);
  const objects: Record<string, number> = {};
  for (const kind of BELONGINGS) objects[kind] = await deleteAll(api, kind, name);
  await ignoring(NotFound, api.objects.delete('Project', { namespace: api.namespace, name }));
  const folder = storageFolder(api.namespace, name);
  return { deleted: name, objects, kept: `The built files stay in the store, under ${folder}/ and ${folder}/archive/.` };
}

/** So that no push that comes in meanwhile opens an execution. */
async function pause(api: Api, name: string): Promise<void> {
  for (;;) {
    const project = await find(api, 'Project', name);
    if (project.spec.paused) return;
    try {
      await api.objects.update({ ...project, spec: { ...project.spec, paused: true } });
      return;
    } catch (error) {
      if (!(error instanceof Conflict)) throw error; // Somebody wrote in between: read it again.
    }
  }
}

async function endRuns(api: Api, project: string): Promise<void> {
  for await (const run of eachObject(api.objects, 'TaskRun', belongingTo(api, project))) {
    if (!isDone(run.status)) await api.runner.cancel({ namespace: api.namespace, name: run.metadata.name }, `Project ${project} is being deleted`);
  }
}

async function deleteAll(api: Api, kind: (typeof BELONGINGS)[number], project: string): Promise<number> {
  let count = 0;
  for await (const object of eachObject(api.objects, kind, belongingTo(api, project))) {
    if (kind === 'Hook') await deleteHookSecret(api, object.spec);
    await ignoring(NotFound, api.objects.delete(kind, { namespace: api.namespace, name: object.metadata.name }));
    count++;
  }
  return count;
}

async function deleteHookSecret(api: Api, spec: object): Promise<void> {
  if ('secret' in spec && typeof spec.secret === 'string') await api.secrets.delete(spec.secret, api.namespace);
}

function belongingTo(api: Api, project: string) {
  return { namespace: api.namespace, labels: { [LABEL.project]: project } };
}

/** Resolves too when it fails for the reason that makes it done already. */
async function ignoring(reason: typeof NotFound, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof reason)) throw error;
  }
}
