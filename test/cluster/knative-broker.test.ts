// The broker on Knative, against a real Broker with its Triggers, retries and dead-letter sink.
import { afterAll, beforeAll } from 'vitest';
import { brokerContract } from '../contracts/broker.ts';
import { fromEnv } from './env.ts';
import { createTestBroker, type TestBroker } from './knative/broker.ts';
import { openKnative, startSubscribers, type Subscribers } from './knative/open.ts';

const NAMES = ['one', 'two', 'other', 'stuck', 'mixed'];

let subscribers: Subscribers;
let broker: TestBroker;

beforeAll(async () => {
  subscribers = await startSubscribers();
  const here = `http://${fromEnv('TIDEMILL_TEST_HOST')}:${subscribers.port}`;
  broker = await createTestBroker(
    NAMES.map((name) => ({ name, url: `${here}/${name}` })),
    { retry: 6, backoffPolicy: 'exponential', backoffDelay: 'PT0.1S', deadLetterSink: { uri: `${here}/dead-letters` } },
  );
});
afterAll(async () => {
  await broker?.close();
  await subscribers?.close();
});

brokerContract('Knative', () => openKnative(broker.sink, subscribers), {
  durable: false,
  remembersEvents: false,
  deadLetters: true,
  retryWithin_ms: 1000,
  answersAfterHandling: true,
  dropsNothing: true,
  many: 300,
});
