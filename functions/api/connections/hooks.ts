// /hooks: who is told of what. The signing secret is shown once, when it is made.
import { randomBytes } from 'node:crypto';
import type { Hono } from 'hono';
import { z } from 'zod';
import { hookLabels } from '../../../shared/decisions/names.ts';
import { label, name, namespace, text, timestamp } from '../../../shared/objects/fields.ts';
import { hookSpec, hookStatus } from '../../../shared/objects/hook.ts';
import type { Obj, SpecOf } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { Conflict } from '../../../shared/ports/objects.ts';
import type { Api } from '../deps.ts';
import { requestKey } from '../http/idempotency.ts';
import { holding, placed } from '../http/namespaces.ts';
import { mergePatch } from '../http/merge-patch.ts';
import { invalid, Problem } from '../http/problem.ts';
import { find, list, newest, reply } from '../http/reply.ts';
import { body, page, query } from '../http/request.ts';

/** Standard Webhooks asks for 24 to 64 random bytes. */
const SECRET_BYTES = 32;
const PATCH_TRIES = 5;

const shown = hookSpec.omit({ secret: true });
const createBody = z.strictObject({ name: label.optional(), namespace: namespace.optional(), ...shown.shape });
const patchable = hookSpec.omit({ secret: true });

const hookView = z.object({ name, namespace, createdAt: timestamp, ...shown.shape, deliveries: hookStatus.shape.deliveries });
const createdHook = hookView.extend({
  /** Signs every delivery (Standard Webhooks). Keep it now: it is never shown again. */
  secret: z.string(),
});
const testRequested = z.object({ hook: name, event: text(256) });
export type HookView = z.infer<typeof hookView>;
export type CreatedHook = z.infer<typeof createdHook>;

export function hooks(app: Hono, api: Api): void {
  app.get('/hooks', async (c) => {
    const { project, ...rest } = query(c.req.raw, z.strictObject({ ...page, project: name.optional() }));
    const found = await newest(api, 'Hook', { ...rest, ...(project !== undefined && { labels: { [LABEL.project]: project } }) });
    return reply(list(hookView), { ...found, items: found.items.map(view) });
  });

  app.post('/hooks', async (c) => {
    const { hook, secret } = await createHook(api, await body(c.req.raw, createBody));
    return reply(createdHook, { ...view(hook), secret }, 201);
  });

  app.get('/hooks/:hook', async (c) => reply(hookView, view(await find(api, 'Hook', c.req.param('hook')))));

  app.patch('/hooks/:hook', async (c) => {
    const change = await body(c.req.raw, z.record(z.string().max(64), z.unknown()));
    return reply(hookView, view(await patchHook(api, c.req.param('hook'), change)));
  });

  app.delete('/hooks/:hook', async (c) => {
    const hook = await find(api, 'Hook', c.req.param('hook'));
    await api.objects.delete('Hook', { namespace: api.namespace, name: hook.metadata.name });
    await api.secrets.delete(hook.spec.secret, api.namespace);
    return new Response(null, { status: 204 });
  });

  app.post('/hooks/:hook/test', async (c) => {
    const { metadata, spec } = await find(api, 'Hook', c.req.param('hook'));
    if (spec.paused) throw new Problem(409, 'paused', `Hook ${metadata.name} is paused: set "paused" to false first.`);
    const key = requestKey(api, c.req.raw, 'hook-test', metadata.name);
    const data = { namespace: api.namespace, hook: metadata.name, event: testEvent(api, metadata.name, key) };
    const [event] = await api.publish([{ type: 'dev.tidemill.hook.requested.v1', subject: metadata.name, data }], { key });
    return reply(testRequested, { hook: metadata.name, event: event!.id }, 202);
  });
}

/** It stands beside its project. The secret is stored first, under a name of its own: a hook never stands without one, and a name that is taken loses nothing. */
async function createHook(from: Api, wanted: z.infer<typeof createBody>): Promise<{ hook: Obj<'Hook'>; secret: string }> {
  const { name: given, namespace: said, ...rest } = wanted;
  const { project } = rest;
  const api = await placed(from, said ?? (project === undefined ? undefined : (await holding(from, 'Project', project)).namespace));
  if (project !== undefined) await find(api, 'Project', project);
  const id = api.newId();
  const spec: SpecOf<'Hook'> = { ...rest, secret: `hook.${id}` };
  const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
  await api.secrets.set(spec.secret, secret, api.namespace);
  try {
    const metadata = { namespace: api.namespace, name: given ?? `hook-${id.slice(-12)}`, labels: hookLabels(spec) };
    return { hook: await api.objects.create<'Hook'>({ kind: 'Hook', metadata, spec }), secret };
  } catch (error) {
    await api.secrets.delete(spec.secret, api.namespace);
    throw error;
  }
}

async function patchHook(api: Api, wanted: string, change: Record<string, unknown>): Promise<Obj<'Hook'>> {
  let last: unknown;
  for (let tries = 0; tries < PATCH_TRIES; tries++) {
    const hook = await find(api, 'Hook', wanted);
    const { secret, ...open } = hook.spec;
    const checked = patchable.safeParse(mergePatch(open, change));
    if (!checked.success) throw invalid(422, 'changed hook', checked.error);
    if (checked.data.project !== undefined) await find(api, 'Project', checked.data.project);
    const spec = { ...checked.data, secret };
    try {
      return await api.objects.update({ ...hook, spec, metadata: { ...hook.metadata, labels: { ...hook.metadata.labels, ...hookLabels(spec) } } });
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      last = error;
    }
  }
  throw last;
}

function view({ metadata, spec, status }: Obj<'Hook'>): z.input<typeof hookView> {
  return { ...spec, name: metadata.name, namespace: metadata.namespace, createdAt: metadata.creationTimestamp, deliveries: status?.deliveries ?? [] };
}

function testEvent(api: Api, hook: string, key: string) {
  return {
    specversion: '1.0',
    id: key,
    source: '/api/v1/hooks',
    type: 'dev.tidemill.hook.test.v1',
    subject: hook,
    time: api.now(),
    datacontenttype: 'application/json',
    data: { hook, message: 'Somebody asked for a test delivery. Nothing happened.' },
  };
}
