// Signs a delivery as Standard Webhooks says (v1: HMAC-SHA256 over id.timestamp.body).
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
import { createHmac } from 'node:crypto';

export class EmptySecret extends Error {}

/** Throws EmptySecret. `secret`: whsec_ and base64, as the hook's owner was shown it. `now`: RFC 3339. */
export function signedHeaders(secret: string, id: string, now: string, body: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(Date.parse(now) / 1000));
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  if (key.length === 0) throw new EmptySecret('the signing secret of the hook is empty; set it anew');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
