// When a request may be made again by itself, and after how long.
import type { KubeError } from './error.ts';

/** So long at most is spent on one request by trying again; what fails longer is for its caller, who has a broker or a backoff of its own. */
const BUDGET_MS = 5000;
const FIRST_MS = 50;
const LONGEST_MS = 1000;

/** Milliseconds to wait; undefined: not safe, or of no use any more. */
export function waitBeforeRetry(method: string, error: KubeError, tries: number, spent_ms: number, random = Math.random()): number | undefined {
  if (!isSafe(method, error)) return undefined;
  const backoff = Math.min(FIRST_MS * 2 ** (tries - 1), LONGEST_MS) * (0.5 + random);
  const wait = Math.max(error.retryAfter_ms ?? 0, backoff);
  return spent_ms + wait > BUDGET_MS ? undefined : wait;
}

function isSafe(method: string, { status, reason }: KubeError): boolean {
  // Refused before it was looked at, or never sent.
  if (status === 429 || reason === 'Unreachable') return true;
  // 500 is not among them: it is also said of requests that can never succeed, such as an apply with an unknown field.
  return method === 'GET' && (reason === 'NoAnswer' || status === 502 || status === 503 || status === 504);
}
