// The broker on NATS JetStream, against real servers.
import { brokerContract } from '../contracts/broker.ts';
import { fromEnv } from './env.ts';
import { openJetStream } from './nats/streams.ts';

brokerContract('JetStream', async () => openJetStream(fromEnv('TIDEMILL_TEST_NATS_URL')), {
  durable: true,
  remembersEvents: true,
  deadLetters: true,
  retryWithin_ms: 200,
});
