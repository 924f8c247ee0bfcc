// One signed POST of one event to one hook, again with growing pauses until it is taken or given up.
import { type Deps, type Handler, NotYet } from '../../shared/host/contract.ts';
import type { Output } from '../../shared/events/event.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import type { functions } from '../graph.ts';
import { post } from './post.ts';
import { signedHeaders } from './sign.ts';

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
  if ('status' in attempt) return settled(event, hook, { outcome: 'delivered', status: attempt.status }, deps);
  if (!attempt.final && deps.attempt < deps.lastAttempt) throw new NotYet(attempt.failed, attempt.after_ms ?? pause_ms(deps.attempt));
  return settled(event, hook, { outcome: 'dead', reason: attempt.failed }, deps);
};

async function deliver(hook: Obj<'Hook'>, event: Event, deps: Deps<Entry>): Promise<Attempt> {
  const body = Buffer.from(JSON.stringify(event.data.event));
  const secret = await deps.secrets.get(hook.spec.secret);
  const headers = { 'content-type': 'application/cloudevents+json; charset=utf-8', ...signedHeaders(secret, messageId(event), deps.now(), body) };
  const answer = await post(new URL(hook.spec.url), headers, body);
  if ('error' in answer) return { failed: `${hook.spec.url} could not be reached: ${answer.error}`, ...(answer.refused && { final: true }) };
  if (answer.status >= 200 && answer.status < 300) return { status: answer.status };
  const failed = `${hook.spec.url} answered ${answer.status}`;
  if (answer.status === 410) return { failed: `${failed}: it wants nothing more`, final: true };
  return { failed, ...(answer.retryAfter_ms !== undefined && { after_ms: Math.min(answer.retryAfter_ms, LONGEST_PAUSE_MS) }) };
}

/** The same for every attempt, so that a receiver can tell a repetition. */
function messageId(event: Event): string {
  return `msg_${event.id}`;
}

/** 2 s, doubled each time to six hours, give or take a fifth, so that many failures do not come back at once. */
function pause_ms(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)) * (0.8 + Math.random() * 0.4);
}

function settled(event: Event, hook: Obj<'Hook'>, end: { outcome: 'delivered'; status: number } | { outcome: 'dead'; reason: string }, deps: Deps<Entry>) {
  const { namespace } = hook.metadata;
  const { id, type } = event.data.event;
  const entry = { event: id, type, at: deps.now(), attempts: deps.attempt, ...end };
  const status = { ...hook.status, deliveries: [entry, ...(hook.status?.deliveries ?? [])].slice(0, LOG_LENGTH) };
  const told = { namespace, hook: hook.metadata.name, eventId: id, attempts: deps.attempt };
  const output: Output<Entry['emits'][number]> =
    end.outcome === 'delivered'
      ? { type: 'dev.tidemill.hook.delivered.v1', subject: hook.metadata.name, data: { ...told, status: end.status } }
      : { type: 'dev.tidemill.hook.dead.v1', subject: hook.metadata.name, data: { ...told, reason: end.reason.slice(0, 4096) } };
  return { status: { ...hook, status }, outputs: [output] };
}
