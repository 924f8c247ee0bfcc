// /credentials: how private repositories are read. What is secret in them is written once and never read back.
import type { Hono } from 'hono';
import { z } from 'zod';
import { label, name, namespace, timestamp } from '../../../shared/objects/fields.ts';
import { credentialSpec } from '../../../shared/objects/hook.ts';
import type { Obj, SpecOf } from '../../../shared/objects/kinds.ts';
import type { Api } from '../deps.ts';
import { placed } from '../http/namespaces.ts';
import { find, list, newest, reply } from '../http/reply.ts';
import { body, page, query, secretValue } from '../http/request.ts';

const shown = credentialSpec.omit({ secret: true });
const createBody = z.strictObject({
  name: label,
  namespace: namespace.optional(),
  ...shown.shape,
  /** Password, token or private key. */
  value: secretValue,
});
const credentialView = z.object({ name, namespace, createdAt: timestamp, ...shown.shape });
export type CredentialView = z.infer<typeof credentialView>;

export function credentials(app: Hono, api: Api): void {
  app.get('/credentials', async (c) => {
    const found = await newest(api, 'Credential', query(c.req.raw, z.strictObject(page)));
    return reply(list(credentialView), { ...found, items: found.items.map(view) });
  });

  app.post('/credentials', async (c) => {
    const { value, name: wanted, namespace: said, ...rest } = await body(c.req.raw, createBody);
    const { namespace: at } = await placed(api, said);
    const spec: SpecOf<'Credential'> = { ...rest, secret: `credential.${api.newId()}` };
    await api.secrets.set(spec.secret, value, at);
    try {
      const credential = await api.objects.create<'Credential'>({ kind: 'Credential', metadata: { namespace: at, name: wanted }, spec });
      return reply(credentialView, view(credential), 201);
    } catch (error) {
      await api.secrets.delete(spec.secret, at);
      throw error;
    }
  });

  app.get('/credentials/:credential', async (c) => reply(credentialView, view(await find(api, 'Credential', c.req.param('credential')))));

  app.delete('/credentials/:credential', async (c) => {
    const credential = await find(api, 'Credential', c.req.param('credential'));
    await api.objects.delete('Credential', { namespace: api.namespace, name: credential.metadata.name });
    await api.secrets.delete(credential.spec.secret, api.namespace);
    return new Response(null, { status: 204 });
  });
}

function view({ metadata, spec }: Obj<'Credential'>): z.input<typeof credentialView> {
  return { ...spec, name: metadata.name, namespace: metadata.namespace, createdAt: metadata.creationTimestamp };
}
