// The process that serves the REST API.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { createPublish } from '../../../shared/host/root-events.ts';
import { createApi } from '../../api/api.ts';
import { redriveDeadLetter } from '../../github-webhook/handle.ts';
import { storageDeadLetters } from '../../github-webhook/storage-inbox.ts';
import { joinDeadLetters } from '../../github-webhook/joined-dead-letters.ts';
import { apiRefusal, tokenCheck } from '../../one-machine/listener/guard.ts';
import { refuse } from '../../one-machine/listener/routes.ts';
import { openAdapters } from '../adapters.ts';
import { openBroker } from '../broker.ts';
import { createKeptEvents } from '../kept-events.ts';
import { runProcess } from '../process.ts';
import { sendText } from '../server.ts';
import { wanted } from '../settings.ts';

const TOKEN = { place: 'the Secret tidemill-secrets, under api-token', other: 'Is this another installation?' };

void runProcess('api', async ({ settings, log, now, server, checks }) => {
  const adapters = openAdapters(settings, log);
  const { client, objects, namespaces: prepared } = adapters;
  const [storage, secrets, git, runner] = await Promise.all([adapters.storage(), adapters.secrets(), adapters.git(), adapters.runner()]);
  const { broker } = await openBroker(settings, adapters, log);
  const isToken = tokenCheck(wanted(settings.token, 'TIDEMILL_TOKEN'));
  const webhooks = storageDeadLetters(storage);
  const { deadLetters, redrive } = joinDeadLetters(broker, webhooks, (id) => redriveDeadLetter(id, { storage, broker, deadLetters: webhooks, log }));
  // JetStream keeps them itself.
  const kept = settings.broker === 'knative' ? createKeptEvents({ storage, broker, log }) : undefined;
  const publish = createPublish({ ...broker, publish: (kept ?? broker).publish }, now);
  const { namespace, systemNamespace: home, siteHost } = settings;
  const namespaces = () => prepared.all();
  const api = createApi({
    objects,
    storage,
    runner,
    git,
    secrets,
    publish,
    deadLetters,
    redrive,
    now,
    log,
    newId: randomUUID,
    namespace,
    namespaces,
    home,
    siteHost,
  });
  const listener = getRequestListener((request) => api.fetch(request), { overrideGlobalObjects: false });
  Object.assign(checks, {
    kubernetes: () => client.text('/readyz'),
    storage: () => storage.list('inbox/', { limit: 1 }),
    broker: () => broker.deadLetters({ limit: 1 }),
  });
  server.open((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (path !== '/api' && !path.startsWith('/api/')) return sendText(response, 404, 'The API is at /api/v1.\n');
    const refusal = apiRefusal({ method: request.method ?? '', headers: request.headers }, isToken, TOKEN);
    if (refusal) return refuse(request, response, refusal);
    if (request.headers.expect) response.writeContinue();
    return listener(request, response);
  });
  return {
    stop: async (grace_ms) => {
      await Promise.race([kept?.settled(), sleep(grace_ms, undefined, { ref: false })]);
      await runner.stop(grace_ms);
      await broker.stop(grace_ms);
      client.close();
    },
  };
});
