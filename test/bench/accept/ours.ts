// The server under test: our listener's real route, the inbox on disk, drained into real Storage and a broker that keeps nothing.
// Usage: ours.ts DIRECTORY SECRET. Prints its port; at "drain" on stdin says how long it took to handle what was left; ends with stdin.
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGithubWebhook } from '../../../functions/github-webhook/accept.ts';
import { openDeadLetters } from '../../../functions/github-webhook/dead-letters.ts';
import { createHandler } from '../../../functions/github-webhook/handle.ts';
import { openInbox } from '../../../functions/github-webhook/inbox/inbox.ts';
import { createListener } from '../../../functions/one-machine/listener/listener.ts';
import { createFsStorage } from '../../../shared/storage/fs.ts';

const [directory = '', secret = ''] = process.argv.slice(2);
const log = { info: () => undefined, warn: console.error, error: console.error };
const inbox = await openInbox({ directory: join(directory, 'inbox'), log });
const storage = createFsStorage({ directory: join(directory, 'storage') });
const deadLetters = await openDeadLetters(join(directory, 'dead'));
let published = 0;
inbox.drain(createHandler({ storage, broker: { publish: async (events) => void (published += events.length) }, deadLetters, log }));
const listener = await createListener({
  port: 0,
  token: 'unused',
  webhook: createGithubWebhook({ secret: () => secret, inbox, log }),
  site: (_request, response) => void response.end(),
  api: () => new Response(),
  sites: async () => [],
  log,
});
console.log(JSON.stringify({ port: listener.port }));

for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'drain') continue;
  const before = published;
  const began = performance.now();
  await inbox.caughtUp();
  console.log(JSON.stringify({ whileAccepting: before, after: published - before, ms: performance.now() - began }));
}
await listener.close(0);
await inbox.close();
