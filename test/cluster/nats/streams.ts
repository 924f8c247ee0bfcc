// Brokers on streams of a test's own, which are deleted when it is done.
import { randomBytes } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from 'nats';
import { createJetStreamBroker } from '../../../shared/jetstream/broker.ts';
import { type JetStreamOptions, namesOf } from '../../../shared/jetstream/options.ts';
import type { OpenBroker } from '../../contracts/broker.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };

export const freshPrefix = () => `test-${randomBytes(6).toString('hex')}`;

/** Small, so that a server that reserves what is asked for has room for the streams of many tests. */
export const smallOptions = (url: string, prefix: string, options: Partial<JetStreamOptions> = {}): JetStreamOptions => ({
  url,
  prefix,
  log,
  maxBytes: 64 * 1024 ** 2,
  backoff: { base_ms: 20, cap_ms: 200 },
  ...options,
});

export function openJetStream(url: string, options: Partial<JetStreamOptions> = {}): OpenBroker {
  const prefix = options.prefix ?? freshPrefix();
  const open = (): OpenBroker => {
    const broker = createJetStreamBroker(smallOptions(url, prefix, options));
    return {
      broker,
      reopen: async () => {
        await broker.stop(0);
        return open();
      },
      close: async () => {
        await broker.stop(1000);
        await deleteStreams(url, prefix);
      },
    };
  };
  return open();
}

export async function deleteStreams(url: string, prefix: string): Promise<void> {
  const nc = await connect({ servers: url.split(',') });
  try {
    const jsm = await jetstreamManager(nc);
    const { events, dead, counts } = namesOf(prefix);
    await Promise.allSettled([events, dead, counts].map((stream) => jsm.streams.delete(stream)));
  } finally {
    await nc.close();
  }
}
