import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KubeError } from './error.ts';
import { waitBeforeRetry } from './retry.ts';

const error = (init: { status?: number; reason?: string; retryAfter_ms?: number }) =>
  new KubeError({ status: 0, reason: 'x', message: 'm', uncertain: false, ...init });

test('a write is never made again where the one before may have been carried out', () => {
  const answers = fc.record({
    status: fc.constantFrom(0, 400, 401, 403, 404, 408, 409, 410, 422, 500, 502, 503, 504),
    reason: fc.constantFrom('NoAnswer', 'Timeout', 'Stalled', 'BadAnswer'),
  });
  fc.assert(
    fc.property(fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE'), answers, fc.nat(10), fc.nat(5000), (method, answer, tries, spent) => {
      expect(waitBeforeRetry(method, error(answer), tries + 1, spent)).toBeUndefined();
    }),
  );
});

test('all that is spent on one request is bounded, and Retry-After is kept', () => {
  fc.assert(
    fc.property(fc.option(fc.nat(10_000), { nil: undefined }), fc.double({ min: 0, max: 0.999, noNaN: true }), (retryAfter_ms, random) => {
      let spent = 0;
      let tries = 1;
      for (
        let wait: number | undefined;
        (wait = waitBeforeRetry('GET', error({ status: 429, ...(retryAfter_ms !== undefined && { retryAfter_ms }) }), tries, spent, random)) !== undefined;
        tries++
      ) {
        expect(wait).toBeGreaterThanOrEqual(retryAfter_ms ?? 0);
        spent += wait;
      }
      expect(spent).toBeLessThanOrEqual(5000);
      expect(tries).toBeLessThan(20);
      expect(tries > 1).toBe((retryAfter_ms ?? 0) <= 5000);
    }),
  );
});
