// What is answered instead: a status, and a reason that tells the one who asks nothing that is not theirs to know.

export class Refusal extends Error {
  override name = 'Refusal';
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 | 503;
  readonly retryAfter_s: number | undefined;
  constructor(status: Refusal['status'], reason: string, retryAfter_s = status === 503 || status === 429 ? 1 : undefined) {
    super(reason);
    this.status = status;
    this.retryAfter_s = retryAfter_s;
  }
}
