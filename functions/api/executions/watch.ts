// /watch, /projects/{name}/watch and /executions/{name}/watch: what happens, as it happens, one JSON object a line.
import type { Hono } from 'hono';
import { z } from 'zod';
import { name } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import type { WatchEvent } from '../../../shared/ports/objects.ts';
import type { Api } from '../deps.ts';
import { changes } from './execution-logs.ts';
import { executionView, isTerminal, viewExecution } from './execution-view.ts';
import { merge } from '../http/merge.ts';
import { ndjson } from '../http/ndjson.ts';
import { releaseView, viewRelease } from '../releases/release-view.ts';
import { find, newest } from '../http/reply.ts';
import { query } from '../http/request.ts';

/** So many recent executions are told first, so that a watcher begins with a picture. */
const FIRST = 10;

const change = z.discriminatedUnion('kind', [
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), kind: z.literal('Execution'), object: executionView }),
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), kind: z.literal('Release'), object: releaseView }),
]);
export type Change = z.infer<typeof change>;

const watchQuery = z.strictObject({
  /** Of executions only this one, which may be yet to come. */
  execution: name.optional(),
});

export function watches(app: Hono, api: Api): void {
  app.get('/watch', (c) => {
    query(c.req.raw, z.strictObject({}));
    return ndjson((signal) => watchChanges(api, {}, c.req.raw, signal));
  });

  app.get('/projects/:project/watch', async (c) => {
    const { execution } = query(c.req.raw, watchQuery);
    const project = await find(api, 'Project', c.req.param('project'));
    return ndjson((signal) => watchProject(api, project.metadata.name, execution, c.req.raw, signal));
  });

  app.get('/executions/:execution/watch', async (c) => {
    const execution = await find(api, 'Execution', c.req.param('execution'));
    return ndjson(async function* (signal) {
      const ended = new AbortController();
      for await (const state of changes(api, execution, AbortSignal.any([signal, ended.signal]))) {
        yield change.parse({ type: 'MODIFIED', kind: 'Execution', object: viewExecution(state) });
        if (isTerminal(state.status?.phase)) ended.abort();
      }
    });
  });
}

/** What there is now of a project, then every change, until the client goes. */
async function* watchProject(api: Api, project: string, execution: string | undefined, request: Request, signal: AbortSignal): AsyncGenerator<Change> {
  const labels = { [LABEL.project]: project };
  const before = () => present(api, labels, execution);
  for await (const item of watchChanges(api, labels, request, signal, before)) {
    if (item.kind === 'Release' || execution === undefined || item.object.name === execution) yield item;
  }
}

/** Every change of executions and releases from now on; `before` is asked once nothing can be missed any more, and told first. */
async function* watchChanges(
  api: Api,
  labels: Record<string, string>,
  request: Request,
  signal: AbortSignal,
  before: () => Promise<(Obj<'Execution'> | Obj<'Release'>)[]> = () => Promise.resolve([]),
): AsyncGenerator<Change> {
  const of = api.listed === undefined ? {} : { namespace: api.listed };
  const [executions, releases] = await Promise.all([
    api.objects.list('Execution', { ...of, labels, limit: 1 }),
    api.objects.list('Release', { ...of, labels, limit: 1 }),
  ]);
  const show = async (type: Change['type'], object: Obj<'Execution'> | Obj<'Release'>): Promise<Change> =>
    change.parse(
      isRelease(object)
        ? { type, kind: 'Release', object: await viewRelease(api, object, request) }
        : { type, kind: 'Execution', object: viewExecution(object) },
    );

  for (const item of await before()) yield await show('ADDED', item);
  const all = merge<WatchEvent<'Execution'> | WatchEvent<'Release'>>();
  all.add(api.objects.watch('Execution', { ...of, labels, since: executions.resourceVersion, signal }));
  all.add(api.objects.watch('Release', { ...of, labels, since: releases.resourceVersion, signal }));
  for await (const event of all) {
    if (event.type !== 'BOOKMARK') yield await show(event.type, event.object);
  }
}

function isRelease(object: Obj<'Execution'> | Obj<'Release'>): object is Obj<'Release'> {
  return object.kind === 'Release';
}

async function present(api: Api, labels: Record<string, string>, execution: string | undefined) {
  const one = execution === undefined ? undefined : await api.objects.get('Execution', { namespace: api.namespace, name: execution });
  const executions = execution === undefined ? (await newest(api, 'Execution', { labels, limit: FIRST })).items.toReversed() : one ? [one] : [];
  const releases = await newest(api, 'Release', { labels, limit: 100 });
  return [...executions, ...releases.items];
}
