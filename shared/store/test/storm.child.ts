// A process of the crash test: publishes and commits as fast as it can, prints what was confirmed, until it is killed.
import { argv, stdout } from 'node:process';
import { openStore } from '../store.ts';
import { DONE, REQUESTED, RESOLVED, testEvent, testPipeline } from './things.ts';

const [, , path, round] = argv;
if (!path || !round) throw new Error('Usage: storm.child.ts DATABASE ROUND');
const store = openStore(path);

store.broker.subscribe({ name: 'storm', types: [REQUESTED], concurrency: 16, maxAttempts: 3 }, async (delivery) => {
  const name = delivery.event.id.replace('cause-', '');
  await store.commit(delivery, { create: [testPipeline(name)], events: [testEvent(`effect-${name}`, RESOLVED)] });
  stdout.write(`${name}\n`);
  return DONE;
});

for (let i = 0; ; i++) {
  await Promise.all(Array.from({ length: 20 }, (_, j) => store.broker.publish([testEvent(`cause-r${round}-${i}-${j}`)])));
}
