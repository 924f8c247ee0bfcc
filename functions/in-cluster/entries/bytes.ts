// The process of the edge `bytes`: steps inside of builds exchange their tokens there for what their TaskRun may have.
import { createBytes } from '../../bytes/bytes.ts';
import { openAdapters } from '../adapters.ts';
import { runProcess } from '../process.ts';

void runProcess('bytes', async ({ settings, log, now, server, checks }) => {
  const adapters = openAdapters(settings, log);
  const { client, objects } = adapters;
  const [storage, secrets] = await Promise.all([adapters.storage(), adapters.secrets()]);
  Object.assign(checks, { kubernetes: () => client.request('GET', '/version'), storage: () => storage.list('inbox/', { limit: 1 }) });
  server.open(createBytes({ client, objects, secrets, storage, log, now }));
  return { stop: async () => client.close() };
});
