// The same request told twice is one: Idempotency-Key, where the client sends one.
// https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
import { hash } from '../../../shared/events/ids.ts';
import type { Api } from '../deps.ts';
import { Problem } from './problem.ts';

/**
 * Key of the root event that this request publishes. `parts` say what is asked for: the same Idempotency-Key
 * with something else asked for is another request, never silently dropped. Without the header every request is its own.
 */
export function requestKey(api: Api, request: Request, ...parts: string[]): string {
  const given = request.headers.get('idempotency-key');
  if (given === null) return `api-${api.newId()}`;
  if (!/^[\x21-\x7e]{1,256}$/.test(given)) throw new Problem(400, 'invalid', 'Idempotency-Key must be 1 to 256 printable ASCII characters, without spaces.');
  return `api-${hash(given, api.namespace, ...parts)}`;
}
