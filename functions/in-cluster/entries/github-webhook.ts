// The process that takes GitHub's webhooks.
import { setTimeout as sleep } from 'node:timers/promises';
import { createGithubWebhook } from '../../github-webhook/accept.ts';
import { createStorageInbox } from '../../github-webhook/storage-inbox.ts';
import { openAdapters } from '../adapters.ts';
import { openBroker } from '../broker.ts';
import { runProcess } from '../process.ts';
import { sendText } from '../server.ts';
import { createWaker } from '../wake.ts';

const PATH = '/webhooks/github';

void runProcess('github-webhook', async ({ settings, log, server, checks }) => {
  const wake = createWaker(settings, 'github-webhook');
  // Where this one sleeps, it was woken for a webhook, which waits until it is ready: the others start meanwhile.
  wake();
  const adapters = openAdapters(settings, log);
  const storage = await adapters.storage();
  const { broker, durable } = await openBroker(settings, adapters, log);
  const inbox = createStorageInbox({ storage, broker, durable, log });
  const accept = createGithubWebhook({ secret: () => settings.webhookSecret, inbox, log });
  checks['storage'] = () => storage.list('inbox/', { limit: 1 });
  // Where only Storage's SDK knows the way it is needed at once, and is much to load: it is there when the first body was read. What is wrong the first
  // webhook finds out, and says so.
  if (!settings.s3?.endpoint) checks['storage']().catch(() => undefined);
  server.open((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0];
    if (path === PATH) {
      wake();
      return accept(request, response);
    }
    return sendText(response, 404, `Webhooks of GitHub go to ${PATH}.\n`);
  });
  return {
    stop: async (grace_ms) => {
      await Promise.race([inbox.settled(), sleep(grace_ms, undefined, { ref: false })]);
      await broker.stop(grace_ms);
      adapters.client.close();
    },
  };
});
