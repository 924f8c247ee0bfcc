// What a webhook of GitHub tells, as events: a pure function of its headers and its raw bytes.
// Payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { EventOf } from '../../../shared/events/event.ts';
import { beginChain, rootId } from '../../../shared/events/ids.ts';
import type { EventData } from '../../../shared/events/types.ts';
import type { Digest } from '../../../shared/ports/storage.ts';
import type { edges } from '../../graph.ts';
import type { RecordHead } from '../inbox/frame.ts';
import { jsonTrouble } from './json.ts';
import { pullRequestPayload, pushPayload, type PullRequestPayload, type PushPayload } from './payload.ts';

export type WebhookEventType = (typeof edges)['github-webhook']['emits'][number];

export type Translation =
  | { kind: 'events'; events: EventOf<WebhookEventType>[] }
  /** Understood, and nothing follows from it, for this reason. */
  | { kind: 'nothing'; reason: string }
  /** Signed, but not what GitHub sends under this event's name: for the dead letter, with this reason. */
  | { kind: 'invalid'; reason: string };

export type WebhookHead = Pick<RecordHead, 'event' | 'contentType' | 'received'>;

/** `body`: the raw bytes, verified. Never throws: what nobody thought of is for the dead letter too, since it would fail again. */
export function translate(head: WebhookHead, body: Buffer): Translation {
  try {
    return understand(head, body);
  } catch (error) {
    return invalid(`Translating it failed: ${String(error)}`);
  }
}

function understand(head: WebhookHead, body: Buffer): Translation {
  const json = jsonOf(head, body);
  if (typeof json === 'string') return invalid(json);
  const parsed = parseJson(json);
  if ('reason' in parsed) return invalid(parsed.reason);
  const digest: Digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  if (head.event === 'push') return read(pushPayload, parsed.value, 'push', (payload) => fromPush(payload, digest, head.received));
  if (head.event === 'pull_request') return read(pullRequestPayload, parsed.value, 'pull_request', (payload) => fromPullRequest(payload, digest));
  return { kind: 'nothing', reason: `Nothing is done on ${JSON.stringify(head.event.slice(0, 64))} events` };
}

function invalid(reason: string): Translation {
  return { kind: 'invalid', reason: reason.slice(0, 4000) };
}

/** The bytes of the JSON text in the body, or why there are none. */
function jsonOf(head: WebhookHead, body: Buffer): Buffer | string {
  if (head.contentType === 'json') return body;
  const fields = body.toString('latin1').split('&', 3);
  const payloads = fields.filter((field) => field.startsWith('payload='));
  if (payloads.length !== 1 || fields.length > 2) return 'The form has to have the field "payload" once, and nothing beside it';
  try {
    return Buffer.from(decodeURIComponent((payloads[0] ?? '').slice('payload='.length).replaceAll('+', ' ')), 'utf8');
  } catch {
    return 'The form field "payload" is not percent-encoded UTF-8';
  }
}

function parseJson(json: Buffer): { value: unknown } | { reason: string } {
  if (!isUtf8(json)) return { reason: 'The body is not UTF-8' };
  const trouble = jsonTrouble(json);
  if (trouble) return { reason: `The body is refused as JSON: ${trouble}` };
  try {
    return { value: JSON.parse(json.toString('utf8')) };
  } catch (error) {
    return { reason: `The body is not JSON: ${(error as Error).message}` };
  }
}

function read<T>(schema: z.ZodType<T>, value: unknown, event: string, then: (payload: T) => Translation): Translation {
  const checked = schema.safeParse(value);
  if (checked.success) return then(checked.data);
  const issues = checked.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`);
  return invalid(`The body is not what GitHub sends for ${event}: ${issues.join('; ')}`);
}

function fromPush(payload: PushPayload, body: Digest, received: string): Translation {
  const { ref, before, after, repository } = payload;
  const gone = isZero(after);
  if (gone && isZero(before)) return invalid('The push goes from no commit to no commit');
  if (payload.deleted !== undefined && payload.deleted !== gone) return invalid(`The push says deleted: ${payload.deleted}, but its "after" is ${after}`);
  const type = pushType(ref, gone);
  if ('reason' in type) return { kind: 'nothing', reason: type.reason };

  const pushed = pushedAt(repository.pushed_at);
  // Where the server does not say when, what it said is what tells one push from the next: a redelivery has the same bytes.
  const id = rootId(
    pushed ?? Date.parse(payload.head_commit?.timestamp ?? '1970-01-01'),
    'github',
    String(repository.id),
    ref,
    before,
    after,
    String(repository.pushed_at ?? body),
  );
  const data = {
    repository: repository.clone_url,
    repositoryId: String(repository.id),
    ref,
    before,
    ...(pushed === undefined ? {} : { pushedAt: new Date(pushed).toISOString() }),
    teller: 'webhook' as const,
    ...by(payload.sender?.login ?? payload.pusher?.name),
    body,
  };
  const envelope = envelopeOf(id, repository, pushed === undefined ? received : new Date(pushed).toISOString());
  if (type.is === 'dev.tidemill.git.branch-deleted.v1') return events({ ...envelope, subject: ref, type: type.is, data });
  if (type.is === 'dev.tidemill.git.tag.v1') return events({ ...envelope, subject: ref, type: type.is, data: { ...data, after } });
  return events({ ...envelope, subject: ref, type: type.is, data: { ...data, after, ...(payload.forced === undefined ? {} : { forced: payload.forced }) } });
}

type PushType = 'dev.tidemill.git.push.v1' | 'dev.tidemill.git.tag.v1' | 'dev.tidemill.git.branch-deleted.v1';

function pushType(ref: string, gone: boolean): { is: PushType } | { reason: string } {
  if (ref.startsWith('refs/heads/')) return { is: gone ? 'dev.tidemill.git.branch-deleted.v1' : 'dev.tidemill.git.push.v1' };
  if (!ref.startsWith('refs/tags/')) return { reason: `${ref} is neither a branch nor a tag` };
  if (gone) return { reason: `The tag ${ref} was deleted; what was made from it stays` };
  return { is: 'dev.tidemill.git.tag.v1' };
}

function fromPullRequest(payload: PullRequestPayload, body: Digest): Translation {
  const { action, number, pull_request: pull, repository } = payload;
  const updated = Date.parse(pull.updated_at);
  const id = rootId(updated, 'github', String(repository.id), 'pull_request', String(number), action, pull.head.sha, pull.base.ref, pull.updated_at);
  const data: EventData<'dev.tidemill.pull-request.changed.v1'> = {
    repository: repository.clone_url,
    repositoryId: String(repository.id),
    number,
    action,
    head: pull.head.sha,
    headRef: pull.head.ref,
    baseRef: pull.base.ref,
    // A head repository that is gone is none of ours either.
    fork: pull.head.repo?.id !== repository.id,
    ...by(payload.sender?.login ?? pull.user?.login),
    body,
  };
  return events({
    ...envelopeOf(id, repository, new Date(updated).toISOString()),
    subject: `pull/${number}`,
    type: 'dev.tidemill.pull-request.changed.v1',
    data,
  });
}

function events(event: EventOf<WebhookEventType>): Translation {
  return { kind: 'events', events: [event] };
}

/** The source is made of what survives a rename, so that source and id are the same whoever tells of it. */
function envelopeOf(id: string, repository: PushPayload['repository'], time: string) {
  const source = `https://${hostOf(repository.clone_url)}/repositories/${repository.id}`;
  return {
    specversion: '1.0' as const,
    id,
    source,
    time,
    datacontenttype: 'application/json' as const,
    ...beginChain(source, id),
  };
}

/** A repository that is a path of this machine has no host. */
function hostOf(cloneUrl: string): string {
  return (URL.canParse(cloneUrl) && new URL(cloneUrl).host) || 'localhost';
}

function isZero(sha: string): boolean {
  return /^0+$/.test(sha);
}

/** Milliseconds. GitHub gives seconds in a push, and RFC 3339 elsewhere. */
function pushedAt(value: number | string | null | undefined): number | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'number' ? value * 1000 : Date.parse(value);
}

function by(login: string | undefined): { by?: string } {
  return login ? { by: login.slice(0, 128) } : {};
}
