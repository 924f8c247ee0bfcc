// The CloudEvent that functions handle and publish, and the strict check of one that came from elsewhere.
// CloudEvents 1.0.2 (section 3): https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
import { z } from 'zod';
import { type EventData, type EventType, eventData, isEventType } from './types.ts';

/** One CloudEvent in its JSON form, with tidemill's two extensions: `chainid` and `traceparent`. */
export interface TidemillEvent<T extends EventType = EventType> {
  specversion: '1.0';
  /** Unique within `source`; derived from the cause (ids.ts), so that telling it again is telling the same. */
  id: string;
  source: string;
  type: T;
  subject?: string;
  /** RFC 3339, UTC. */
  time: string;
  datacontenttype: 'application/json';
  /** Ties together everything that came of one push. */
  chainid: string;
  /** W3C trace context. */
  traceparent?: string;
  data: EventData<T>;
}

/** An event of one of the given types, as a union that narrows on `type`. */
export type EventOf<T extends EventType> = { [K in T]: TidemillEvent<K> }[T];

/** What a handler publishes; the host adds id, source, time and chain. */
export type Output<T extends EventType = EventType> = {
  [K in T]: {
    type: K;
    data: EventData<K>;
    subject?: string;
    /** Tells apart two outputs of one type from one cause. Default: the subject. */
    key?: string;
  };
}[T];

const printable = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'has control characters');

const envelope = z.strictObject({
  specversion: z.literal('1.0'),
  id: printable,
  source: printable.refine(isUriReference, 'is not a URI reference'),
  type: printable,
  subject: printable.optional(),
  time: z.iso.datetime({ offset: true }),
  datacontenttype: z.literal('application/json'),
  chainid: printable,
  traceparent: z
    .string()
    .regex(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
    .optional(),
  data: z.unknown(),
});

function isUriReference(source: string): boolean {
  const isOfItsCharacters = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/.test(source);
  return isOfItsCharacters && URL.canParse(source, 'http://localhost');
}

/** An event that is not valid: `where` names the attribute or the path in data. Answered 400, dead-lettered, never retried. */
export class InvalidEvent extends Error {
  override name = 'InvalidEvent';
}

/** The event in `value`, checked: envelope, known type, data. Throws InvalidEvent saying what is wrong and where. */
export function parseEvent(value: unknown): TidemillEvent {
  const checked = envelope.safeParse(value);
  if (!checked.success) throw new InvalidEvent(`Not a valid CloudEvent: ${describe(checked.error)}`);
  const { type } = checked.data;
  if (!isEventType(type)) throw new InvalidEvent(`Unknown event type "${type}"`);
  return { ...checked.data, type, data: parseData(type, checked.data.data) };
}

/** The data of an event of this type, checked. Throws InvalidEvent. */
export function parseData<T extends EventType>(type: T, data: unknown): EventData<T> {
  const checked = eventData[type].safeParse(data);
  if (!checked.success) throw new InvalidEvent(`Invalid data of ${type}: ${describe(checked.error)}`);
  return checked.data as EventData<T>;
}

function describe(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`)
    .join('; ');
}
