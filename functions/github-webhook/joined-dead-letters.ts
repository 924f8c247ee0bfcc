// The broker's dead letters and those of webhooks as one list: first the broker's, oldest first, then the webhooks that could not be understood.
import type { Broker, DeadLetter } from '../../shared/ports/broker.ts';
import type { DeadLetters } from './dead-letters.ts';

const PAGE = 100;

export interface JoinedDeadLetters {
  deadLetters(page: { limit?: number; after?: string }): Promise<DeadLetter[]>;
  /** Throws when there is none of this id, or it is still not understood. */
  redrive(id: string): Promise<void>;
}

/** `redriveWebhook` resolves with why a webhook still cannot be understood, or undefined when it was taken. */
export function joinDeadLetters(
  broker: Pick<Broker, 'deadLetters' | 'redrive'>,
  webhooks: Pick<DeadLetters, 'list'>,
  redriveWebhook: (id: string) => Promise<string | undefined>,
): JoinedDeadLetters {
  const isWebhook = (id: string | undefined) => id?.startsWith('webhook-') ?? false;
  return {
    deadLetters: async ({ limit = PAGE, after }) => {
      const events = isWebhook(after) ? [] : await broker.deadLetters({ limit, ...(after && { after }) });
      const room = limit - events.length;
      return room > 0 ? [...events, ...(await webhooks.list({ limit: room, ...(after && isWebhook(after) && { after }) }))] : events;
    },
    redrive: async (id) => {
      if (!isWebhook(id)) return broker.redrive(id);
      const stillDead = await redriveWebhook(id);
      if (stillDead) throw new Error(`It still cannot be understood: ${stillDead}`);
    },
  };
}
