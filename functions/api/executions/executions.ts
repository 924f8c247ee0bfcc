// /executions: what ran, what runs, and asking for more or less of it.
import type { Hono } from 'hono';
import { z } from 'zod';
import { branchRef, executionName, laneName } from '../../../shared/decisions/names.ts';
import { executionPhase } from '../../../shared/objects/execution.ts';
import { gitRef, name, namespace, reason, text } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import type { Api } from '../deps.ts';
import { findExecution, newestExecutions } from './archived.ts';
import { executionSummary, executionView, isTerminal, viewExecution } from './execution-view.ts';
import { requestKey } from '../http/idempotency.ts';
import { Problem } from '../http/problem.ts';
import { fullRef } from '../projects/project-source.ts';
import { find, list, reply } from '../http/reply.ts';
import { optionalBody, page, query } from '../http/request.ts';

const filter = z.strictObject({ ...page, project: name.optional(), phase: executionPhase.optional(), branch: gitRef.optional() });
const triggerBody = z.strictObject({ ref: gitRef.optional(), by: text(128).optional() });
const cancelBody = z.strictObject({ reason: reason.optional(), by: text(128).optional() });
const rerunBody = z.strictObject({ by: text(128).optional() });

/** What a request for a run is answered with: the execution that comes of it, by the name it will have. */
const requested = z.object({ execution: name, project: name, namespace, event: text(256), ref: gitRef.optional() });
export type RequestedExecution = z.infer<typeof requested>;
const cancelRequested = z.object({ execution: name, event: text(256) });

export function executions(app: Hono, api: Api): void {
  app.get('/executions', async (c) => {
    const { project, phase, branch, ...rest } = query(c.req.raw, filter);
    if (branch !== undefined && project === undefined)
      throw new Problem(400, 'invalid', 'Give the project as well: branches of different projects have nothing in common.');
    const labels = {
      ...(project !== undefined && { [LABEL.project]: project }),
      ...(project !== undefined && branch !== undefined && { [LABEL.lane]: laneName(project, branchRef(branch)) }),
      ...(phase !== undefined && !isTerminal(phase) && { [LABEL.active]: 'true' }),
    };
    const keep = phase && ((execution: Obj<'Execution'>) => (execution.status?.phase ?? 'Pending') === phase);
    const found = await newestExecutions(api, { ...rest, labels, project, keep });
    return reply(list(executionSummary), { ...found, items: found.items.map(viewExecution) });
  });

  app.get('/executions/:execution', async (c) => reply(executionView, viewExecution(await findExecution(api, c.req.param('execution')))));

  app.post('/projects/:project/executions', async (c) => {
    const { ref, by } = await optionalBody(c.req.raw, triggerBody);
    const project = await find(api, 'Project', c.req.param('project'));
    const full = await fullRef(api, project.spec, ref);
    return request(api, c.req.raw, project.metadata.name, { ref: full, by });
  });

  app.post('/executions/:execution/rerun', async (c) => {
    const { by } = await optionalBody(c.req.raw, rerunBody);
    const earlier = await findExecution(api, c.req.param('execution'));
    if (!(await api.objects.get('Execution', { namespace: api.namespace, name: earlier.metadata.name }))) throw archived(earlier);
    return request(api, c.req.raw, earlier.spec.project, { by, rerunOf: earlier.metadata.name });
  });

  app.post('/executions/:execution/cancel', async (c) => {
    const { reason: why, by } = await optionalBody(c.req.raw, cancelBody);
    const { metadata, spec, status } = await findExecution(api, c.req.param('execution'));
    if (status && isTerminal(status.phase)) throw new Problem(409, 'ended', `Execution ${metadata.name} has ended already: ${status.phase}.`);
    const data = { namespace: api.namespace, project: spec.project, execution: metadata.name, reason: why ?? 'cancelled by a person', ...(by && { by }) };
    const key = requestKey(api, c.req.raw, 'cancel', metadata.name);
    const [event] = await api.publish([{ type: 'dev.tidemill.execution.cancel-requested.v1', subject: metadata.name, data }], { key });
    return reply(cancelRequested, { execution: metadata.name, event: event!.id }, 202);
  });
}

function archived({ metadata, spec, status }: Obj<'Execution'>): Problem {
  const sha = status?.sha ?? spec.sha;
  const instead = sha ? `Build its commit anew: \`tidemill trigger ${spec.project} ${sha}\`.` : 'Build its branch anew instead.';
  return new Problem(409, 'archived', `Execution ${metadata.name} is archived, and its definition is no longer run. ${instead}`);
}

async function request(
  api: Api,
  http: Request,
  project: string,
  wanted: { ref?: string | undefined; by?: string | undefined; rerunOf?: string },
): Promise<Response> {
  const { ref, by, rerunOf } = wanted;
  const data = { namespace: api.namespace, project, trigger: 'user' as const, ...(ref && { ref }), ...(by && { by }), ...(rerunOf && { rerunOf }) };
  const key = requestKey(api, http, 'run', project, ref ?? '', rerunOf ?? '');
  const [event] = await api.publish([{ type: 'dev.tidemill.execution.requested.v1', subject: project, data }], { key });
  return reply(requested, { execution: executionName(project, event!.id), project, namespace: api.namespace, event: event!.id, ...(ref && { ref }) }, 202);
}
