// What went wrong between us and the API server: its own words where it answered, and whether the request may have been carried out where it did not.

/** metav1.StatusDetails, as far as anyone looks into it. */
export interface StatusDetails {
  name?: string;
  kind?: string;
  causes?: { reason?: string; message?: string; field?: string }[];
  retryAfterSeconds?: number;
}

export interface KubeErrorInit {
  /** HTTP status; 0: there was no answer. */
  status: number;
  /** Kubernetes' one word, such as NotFound or AlreadyExists; of ours: NoCredentials, Unreachable, NoAnswer, Timeout, Stalled, BadAnswer. */
  reason: string;
  message: string;
  details?: StatusDetails;
  /** How long the server asks to wait. */
  retryAfter_ms?: number;
  /** With 410 on a page of a list: goes on from there with what is true now. */
  listContinue?: string;
  /** The request may have been carried out all the same: look before doing it again. */
  uncertain: boolean;
  cause?: unknown;
}

/** The API server said no, or said nothing. The message never holds a credential or a body. */
export class KubeError extends Error {
  override name = 'KubeError';
  readonly status: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  readonly retryAfter_ms: number | undefined;
  readonly listContinue: string | undefined;
  readonly uncertain: boolean;
  constructor(init: KubeErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.status = init.status;
    this.reason = init.reason;
    this.details = init.details;
    this.retryAfter_ms = init.retryAfter_ms;
    this.listContinue = init.listContinue;
    this.uncertain = init.uncertain;
  }
}

interface Status {
  metadata?: { continue?: string };
  reason?: string;
  message?: string;
  details?: StatusDetails;
}

const MAX_TEXT = 2048;

/** The error for an answer that is no success: from the Status in its body, or from the body's first words where a proxy answered. */
export function answerError(what: string, status: number, retryAfter: string | undefined, body: string): KubeError {
  const said = parseStatus(body);
  const reason = said?.reason || NAMES[status] || `HTTP${status}`;
  const text = (said?.message || body.trim() || 'no reason given').slice(0, MAX_TEXT);
  const wait = retryAfterOf(retryAfter) ?? (said?.details?.retryAfterSeconds === undefined ? undefined : said.details.retryAfterSeconds * 1000);
  return new KubeError({
    status,
    reason,
    message: `${what}: ${text} (HTTP ${status} ${reason})`,
    ...(said?.details && { details: said.details }),
    ...(wait !== undefined && { retryAfter_ms: wait }),
    ...(said?.metadata?.continue && { listContinue: said.metadata.continue }),
    uncertain: status >= 500,
  });
}

/** Where the answer is no Status, as with a proxy's or a load balancer's. */
const NAMES: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function parseStatus(body: string): Status | undefined {
  if (!body.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(body) as Status & { kind?: string };
    return value.kind === 'Status' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds only: the API server sends no dates. */
function retryAfterOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}
