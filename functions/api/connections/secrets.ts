// /secrets: what the Tasks of builds name (secretKeyRef, with the key "value"); written, replaced, removed, never read back.
import type { Hono } from 'hono';
import { z } from 'zod';
import { runSecretName } from '../../../shared/decisions/names.ts';
import { label } from '../../../shared/objects/fields.ts';
import type { Api } from '../deps.ts';
import { invalid } from '../http/problem.ts';
import { body, secretValue } from '../http/request.ts';

const putBody = z.strictObject({ value: secretValue });

export function secrets(app: Hono, api: Api): void {
  app.put('/secrets/:secret', async (c) => {
    const name = secretName(api, c.req.param('secret'));
    const { value } = await body(c.req.raw, putBody);
    await api.secrets.set(name, value, api.namespace);
    return new Response(null, { status: 204 });
  });

  app.delete('/secrets/:secret', async (c) => {
    await api.secrets.delete(secretName(api, c.req.param('secret')), api.namespace);
    return new Response(null, { status: 204 });
  });
}

/** Where it is kept, below a prefix that none of tidemill's own has (hook.…, credential.…), so that nobody overwrites those by a name of his own. */
function secretName(api: Api, given: string): string {
  const checked = label.safeParse(given);
  if (!checked.success) throw invalid(422, 'name of the secret', checked.error);
  return runSecretName(api.namespace, checked.data);
}
