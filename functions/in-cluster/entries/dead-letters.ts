// The process that keeps what a Knative Broker gave up on.
import { createDead } from '../../../shared/knative/dead.ts';
import { createDeadLetters } from '../../dead-letters/dead-letters.ts';
import { openAdapters } from '../adapters.ts';
import { runProcess } from '../process.ts';

void runProcess('dead-letters', async ({ settings, log, now, server, checks }) => {
  const adapters = openAdapters(settings, log);
  const storage = await adapters.storage();
  const keep = createDeadLetters({ dead: createDead(storage), log, now });
  checks['storage'] = () => storage.list('dead/', { limit: 1 });
  server.open(keep);
  return { stop: async () => adapters.client.close() };
});
