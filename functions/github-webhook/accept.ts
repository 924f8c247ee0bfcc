// POST /webhooks/github: checks the signature over the raw bytes, keeps them, and answers 202 once they are on disk.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../shared/host/contract.ts';
import { answer, refuse, refuseAndClose } from './answer.ts';
import { type BodyFailure, type BodyLimits, createBodyReader, type HeldBody } from './body.ts';
import type { RecordHead } from './inbox/frame.ts';
import { type Inbox, InboxUnavailable } from './inbox/inbox.ts';
import { readSignature, signatureKeys, verification } from './signature.ts';
import { contentTypeOf, ignoredEvent } from './headers.ts';

export interface GithubWebhookOptions {
  /** Asked at each request. Two while one secret replaces the other. None (or empty): every request is refused. */
  secret: () => string | readonly string[] | undefined;
  inbox: Pick<Inbox, 'append'>;
  log: Log;
  limits?: Partial<BodyLimits>;
}

export type GithubWebhook = (request: IncomingMessage, response: ServerResponse) => void;

const DEFAULT_LIMITS: BodyLimits = { body_bytes: 25 * 1024 * 1024, inFlight_bytes: 256 * 1024 * 1024, body_ms: 15_000 };
const RETRY_AFTER = { 'Retry-After': '10' };

export function createGithubWebhook(options: GithubWebhookOptions): GithubWebhook {
  const { inbox, log } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const keys = signatureKeys(options.secret);
  const bodies = createBodyReader(limits);

  const keep = (response: ServerResponse, head: RecordHead, body: HeldBody): void => {
    inbox.append(head, body).then(
      () => {
        bodies.release(body);
        answer(response, 202, { status: 'accepted', delivery: head.delivery });
      },
      (error: unknown) => {
        bodies.release(body);
        log.error(
          { error: error instanceof Error ? error.message : String(error), delivery: head.delivery },
          'A webhook was verified but could not be kept; it was answered 503',
        );
        const why = error instanceof InboxUnavailable ? error.message : 'The webhook could not be kept; see the log of the server, then redeliver';
        answer(response, 503, { error: why }, RETRY_AFTER);
      },
    );
  };

  return (request, response) => {
    if (request.method !== 'POST') return refuse(request, response, 405, `This address takes POST from GitHub, not ${request.method ?? ''}`, { Allow: 'POST' });
    const contentType = contentTypeOf(request.headers);
    if (typeof contentType === 'object') return refuse(request, response, 415, contentType.reason);
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > limits.body_bytes) return refuse(request, response, 413, tooLarge(limits));
    const secrets = keys.current();
    if (!secrets)
      return refuse(
        request,
        response,
        503,
        'No webhook secret is configured, so nothing is accepted. Set TIDEMILL_WEBHOOK_SECRET here and the same secret at GitHub',
      );
    const claimed = readSignature(signatureHeader(request));
    if ('reason' in claimed) return refuse(request, response, 401, `${claimed.reason}. ${SIGN}`);
    if (!bodies.hasRoom(announced)) return refuse(request, response, 503, BUSY, RETRY_AFTER);
    if (request.headers.expect) response.writeContinue();

    const check = verification(secrets, claimed);
    bodies.read(request, check.update, (body) => {
      if (typeof body === 'string') return failed(request, response, body, limits);
      const release = (status: number, said: object): void => {
        bodies.release(body);
        answer(response, status, said);
      };
      if (!check.matches()) return release(401, { error: `The signature is not that of this body with the secret configured here. ${SIGN}` });
      const event = request.headers['x-github-event'];
      const delivery = deliveryOf(request);
      if (typeof event !== 'string' || event === '') return release(400, { error: 'The request has no X-GitHub-Event header, so what it tells of is unknown' });
      if (event === 'ping') return release(200, { status: 'pong', delivery });
      const reason = ignoredEvent(event);
      if (reason) return release(202, { status: 'ignored', delivery, reason });
      keep(response, { event, delivery, contentType, received: new Date().toISOString() }, body);
    });
  };
}

const SIGN = 'Give the webhook at GitHub the same secret as this server (TIDEMILL_WEBHOOK_SECRET), then redeliver';
const BUSY = 'Too many webhooks are being received at once; redeliver in a moment';

function tooLarge(limits: BodyLimits): string {
  return `The body is larger than ${limits.body_bytes} bytes, the most that GitHub sends`;
}

function failed(request: IncomingMessage, response: ServerResponse, failure: BodyFailure, limits: BodyLimits): void {
  if (failure === 'too-large') return refuseAndClose(request, response, 413, tooLarge(limits));
  if (failure === 'busy') return refuseAndClose(request, response, 503, BUSY, RETRY_AFTER);
  if (failure === 'too-slow') return refuseAndClose(request, response, 408, `The body did not arrive within ${limits.body_ms / 1000} s`);
  response.destroy();
}

function signatureHeader(request: IncomingMessage): string | undefined {
  const header = request.headers['x-hub-signature-256'];
  return Array.isArray(header) ? header.join(', ') : header;
}

/** The delivery's id, where it looks like one; it is not signed, and goes to logs and back to the sender only. */
function deliveryOf(request: IncomingMessage): string | undefined {
  const header = request.headers['x-github-delivery'];
  return typeof header === 'string' && /^[A-Za-z0-9-]{1,64}$/.test(header) ? header : undefined;
}
