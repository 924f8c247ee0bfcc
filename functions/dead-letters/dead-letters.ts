// The Broker's dead-letter sink: takes what Knative gave up on, with what it says of why, and answers when it is kept.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvalidEvent } from '../../shared/events/event.ts';
import type { Log } from '../../shared/host/contract.ts';
import { type Answer, readAnswer, readBody, writeAnswer } from '../../shared/knative/body.ts';
import type { Dead } from '../../shared/knative/dead.ts';
import { fromRequest, type RawEvent } from '../../shared/knative/headers.ts';
import { adopt } from '../../shared/knative/incoming.ts';

/** A function takes less, and what it refuses for its size comes here. */
const MAX_BODY = 16 * 1024 ** 2;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export interface DeadLettersOptions {
  dead: Pick<Dead, 'keep'>;
  log: Log;
  now: () => string;
}

/** A plain node:http handler for POST /. */
export function createDeadLetters({ dead, log, now }: DeadLettersOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const take = async (request: IncomingMessage): Promise<Answer> => {
    if (request.method !== 'POST') return { status: 405, headers: { allow: 'POST' }, reason: 'Events are sent by POST' };
    const body = await readBody(request, MAX_BODY);
    if (!body) return { status: 413, headers: { connection: 'close' }, reason: `A dead letter has at most ${MAX_BODY} bytes` };
    let raw: RawEvent;
    try {
      raw = fromRequest(request.headersDistinct, body);
    } catch (error) {
      if (!(error instanceof InvalidEvent)) throw error;
      return { status: 400, reason: error.message };
    }
    const { event, failure } = split(raw);
    const subscription = subscriptionOf(failure.knativeerrordest);
    const why = reasonOf(failure);
    const id = await dead.keep({ subscription, event, attempts: why.attempts, reason: why.reason, at: now() });
    log.warn({ letter: id, function: subscription, event: event.id, type: event.type, reason: why.reason }, 'an event was given up');
    return { status: 202 };
  };

  return (request, response) => {
    take(request)
      .then((answer) => writeAnswer(response, answer))
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        log.error({ reason }, 'a dead letter could not be kept; the broker is asked to try again');
        writeAnswer(response, { status: 503, headers: { 'retry-after': '1' }, reason: 'It could not be kept' });
      });
  };
}

/** What the broker added is told apart from the event, which is as functions take it where it is one that they would take. */
function split(raw: RawEvent): { event: RawEvent; failure: Record<string, string> } {
  const entries = Object.entries(raw);
  const ofBroker = (name: string) => name.startsWith('knative');
  return {
    event: asTaken(Object.fromEntries(entries.filter(([name]) => !ofBroker(name)))),
    failure: Object.fromEntries(entries.filter(([name]) => ofBroker(name)).map(([name, value]) => [name, String(value)])),
  };
}

function asTaken(raw: RawEvent): RawEvent {
  try {
    return { ...adopt(raw) };
  } catch (error) {
    if (!(error instanceof InvalidEvent)) throw error;
    return raw;
  }
}

/** From the address that failed: the first word of its path, else of its host, which is the function's Service. Empty: not to be known. */
export function subscriptionOf(address: string = ''): string {
  if (!URL.canParse(address)) return '';
  const { pathname, hostname } = new URL(address);
  const name = pathname.split('/')[1] || hostname.split('.')[0] || '';
  return NAME.test(name) ? name : '';
}

/** What the function answered, where it did; else what the broker says of it. */
function reasonOf({ knativeerrorcode: code, knativeerrordata: data }: Record<string, string>): { reason: string; attempts: number } {
  const text = data ? Buffer.from(data, 'base64').toString('utf8') : '';
  const { reason, attempts = 1 } = readAnswer(text);
  if (reason !== undefined) return { reason, attempts };
  const what = code ? `The broker gave up; the last answer was ${code}` : 'The broker gave up, and does not say why';
  const said = /^[A-Za-z0-9+/=]*$/.test(data ?? '') ? text : (data ?? '');
  return { reason: said ? `${what}: ${said}` : what, attempts };
}
