// A process of a function: tells each event that it has in hand, one line each, and handles it as the event's id says.
// Arguments: url, prefix, ack wait in milliseconds.
import process from 'node:process';
import { createJetStreamBroker } from '../../../shared/jetstream/broker.ts';
import { smallOptions } from './streams.ts';

const [url = '', prefix = '', ackWait = ''] = process.argv.slice(2);
const broker = createJetStreamBroker(smallOptions(url, prefix, { ackWait_ms: Number(ackWait) }));

broker.subscribe({ name: 'one', types: ['dev.tidemill.artifact.requested.v1'], concurrency: 4, maxAttempts: 3 }, async ({ event: { id }, attempt }) => {
  if (id.startsWith('poison')) process.kill(process.pid, 'SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.stdout.write(`${JSON.stringify({ id, attempt })}\n`);
  return { kind: 'done' };
});
process.on('SIGTERM', () => void broker.stop(5000).then(() => process.exit(0)));
await broker.publish([]);
