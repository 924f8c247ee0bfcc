// One signed POST of one event to one hook, again with growing pauses until it is taken or given up.
import { type Deps, type Handler, NotYet } from '../../shared/host/contract.ts';
import { modifyStatus } from '../../shared/host/modify.ts';
import type { Output } from '../../shared/events/event.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import { NotFound } from '../../shared/ports/objects.ts';
import { MissingSecret } from '../../shared/ports/secrets.ts';
import type { functions } from '../graph.ts';
import { post } from './post.ts';
import { EmptySecret, signedHeaders } from './sign.ts';

type Entry = (typeof functions)['hook-delivery'];
type Event = Parameters<Handler<Entry>>[0];
type Attempt = { status: number } | { failed: string; after_ms?: number; final?: boolean };

const LOG_LENGTH = 50;
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 6 * 3_600_000;

export const handle: Handler<Entry> = async (event, deps) => {
  const { namespace, hook: name } = event.data;
  const hook = await deps.objects.get('Hook', { namespace, name });
  if (!hook || hook.spec.paused) return {};
  const attempt = await deliver(hook, event, deps);
  if ('status' in attempt) return settled(event, { outcome: 'delivered', status: attempt.status }, deps);
  const reason = attempt.failed.slice(0, 4096);
  if (attempt.final || deps.attempt >= deps.lastAttempt) return settled(event, { outcome: 'dead', reason }, deps);
  // Attempts go on for days: whoever looks before their end sees that the receiver does not take it.
  await remember(event, { outcome: 'retrying', reason }, deps);
  throw new NotYet(attempt.failed, attempt.after_ms ?? pause_ms(deps.attempt));
};

async function deliver(hook: Obj<'Hook'>, event: Event, deps: Deps<Entry>): Promise<Attempt> {
  const body = Buffer.from(JSON.stringify(event.data.event));
  const signed = await sign(hook, event, body, deps);
  if ('failed' in signed) return signed;
  const url = new URL(hook.spec.url);
  const answer = await post(url, { 'content-type': 'application/cloudevents+json; charset=utf-8', ...signed.headers }, body);
  // Its host only: many a hook's path or query is a secret.
  if ('error' in answer) return { failed: `${url.host} could not be reached: ${answer.error}`, ...(answer.refused && { final: true }) };
  if (answer.status >= 200 && answer.status < 300) return { status: answer.status };
  const failed = `${url.host} answered ${answer.status}`;
  if (answer.status === 410) return { failed: `${failed}: it wants nothing more`, final: true };
  return { failed, ...(answer.retryAfter_ms !== undefined && { after_ms: Math.min(answer.retryAfter_ms, LONGEST_PAUSE_MS) }) };
}

/** A secret that is missing or empty can be set anew, and says so where the hook's deliveries are seen. */
async function sign(
  hook: Obj<'Hook'>,
  event: Event,
  body: Buffer,
  { secrets, now }: Deps<Entry>,
): Promise<{ headers: Record<string, string> } | { failed: string }> {
  try {
    return { headers: signedHeaders(await secrets.get(hook.spec.secret, hook.metadata.namespace), messageId(event), now(), body) };
  } catch (error) {
    if (error instanceof MissingSecret || error instanceof EmptySecret) return { failed: error.message };
    throw error;
  }
}

/** The same for every attempt, so that a receiver can tell a repetition. */
function messageId(event: Event): string {
  return `msg_${event.id}`;
}

/** 2 s, doubled each time to six hours, give or take a fifth, so that many failures do not come back at once. */
function pause_ms(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)) * (0.8 + Math.random() * 0.4);
}

type End = { outcome: 'delivered'; status: number } | { outcome: 'dead'; reason: string };

async function settled(event: Event, end: End, deps: Deps<Entry>): Promise<{ outputs: Output<Entry['emits'][number]>[] }> {
  const { namespace, hook } = event.data;
  await remember(event, end, deps);
  const told = { namespace, hook, eventId: event.data.event.id, attempts: deps.attempt };
  return {
    outputs: [
      end.outcome === 'delivered'
        ? { type: 'dev.tidemill.hook.delivered.v1', subject: hook, data: { ...told, status: end.status } }
        : { type: 'dev.tidemill.hook.dead.v1', subject: hook, data: { ...told, reason: end.reason } },
    ],
  };
}

/**
 * In the hook's log, where an event stands once. Written here and not as the handler's outcome: many deliveries of one hook
 * end at the same time, and a conflict between two of them must not send either again.
 */
async function remember(event: Event, came: End | { outcome: 'retrying'; reason: string }, { objects, now, attempt }: Deps<Entry>): Promise<void> {
  const { namespace, hook: name } = event.data;
  const { id, type } = event.data.event;
  const entry = { event: id, type, at: now(), attempts: attempt, ...came };
  try {
    await modifyStatus(objects, 'Hook', { namespace, name }, ({ status }) => {
      const others = (status?.deliveries ?? []).filter((delivery) => delivery.event !== id);
      return { ...status, deliveries: [entry, ...others].slice(0, LOG_LENGTH) };
    });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error; // Removed while it was being told: nobody reads its log any more.
  }
}
