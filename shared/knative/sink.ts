// Publishing to a Knative Broker: one POST for each event to K_SINK. The answer comes when all subscribers have answered, so it may take long.
import type { TidemillEvent } from '../events/event.ts';
import { toBinary } from './headers.ts';
import { createPoster } from './post.ts';

const TIMEOUT_MS = 600_000;
/** A broker that is being rolled, or is busy for a moment. What takes longer is rung again by whoever keeps the event. */
const PAUSES_MS = [50, 250, 1000];
const MAX_EVENT = 1_048_576;
const NAME = /^[a-z0-9]{1,40}$/;

export interface Sink {
  /** Resolves when the broker answered 2xx to each. */
  publish(events: readonly TidemillEvent[]): Promise<void>;
  close(): void;
}

export interface SinkOptions {
  /** K_SINK: http(s)://… */
  sink: string;
  /** K_CE_OVERRIDES, as JSON: {"extensions": {"name": "value"}}. */
  overrides?: string | undefined;
  timeout_ms?: number | undefined;
}

export function createSink({ sink, overrides, timeout_ms = TIMEOUT_MS }: SinkOptions): Sink {
  if (!URL.canParse(sink) || !['http:', 'https:'].includes(new URL(sink).protocol))
    throw new Error('K_SINK must be an http(s) URL: a SinkBinding puts it there');
  const url = new URL(sink);
  const extensions = extensionsOf(overrides);
  const poster = createPoster(timeout_ms);

  const one = async (event: TidemillEvent): Promise<void> => {
    const { headers, body } = toBinary(event, extensions);
    if (body.length > MAX_EVENT) throw new Error(`The event ${event.id} (${event.type}) has ${body.length} bytes of data; at most ${MAX_EVENT} are sent`);
    for (let failures = 0; ; failures++) {
      const why = await attempt(headers, body);
      if (!why) return;
      const pause = PAUSES_MS[failures];
      if (!why.again || pause === undefined)
        throw new Error(`The event ${event.id} (${event.type}) was not taken by the broker at ${url.host}${url.pathname}: ${why.reason}`);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  };

  const attempt = async (headers: Parameters<typeof poster.post>[1], body: Buffer): Promise<{ reason: string; again: boolean } | undefined> => {
    try {
      const { status, text } = await poster.post(url, headers, body);
      if (status >= 200 && status < 300) return undefined;
      return { reason: `it answered ${status} ${text.slice(0, 200)}`.trim(), again: status === 429 || status >= 500 };
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error), again: true };
    }
  };

  return {
    publish: async (events) => {
      if (events.length === 1) return one(events[0]!);
      const outcomes = await Promise.allSettled(events.map(one));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    },
    close: poster.close,
  };
}

function extensionsOf(overrides: string | undefined): Record<string, string> {
  if (!overrides) return {};
  let extensions: unknown;
  try {
    extensions = (JSON.parse(overrides) as { extensions?: unknown }).extensions ?? {};
  } catch {
    throw new Error('K_CE_OVERRIDES is no JSON: a SinkBinding puts it there');
  }
  const entries = Object.entries(extensions as Record<string, string>);
  for (const [name, value] of entries)
    if (!NAME.test(name) || typeof value !== 'string')
      throw new Error(`K_CE_OVERRIDES has an extension "${name.slice(0, 60)}" that is none: take lower-case letters, digits, and text`);
  return Object.fromEntries(entries);
}
