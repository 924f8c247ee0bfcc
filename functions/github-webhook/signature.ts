// X-Hub-Signature-256: HMAC-SHA256 over the raw bytes, compared in constant time. Never over text: two byte strings can decode to one text.
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
import { createHmac, createSecretKey, type Hmac, type KeyObject, timingSafeEqual } from 'node:crypto';

const FORM = /^sha256=[0-9a-f]{64}$/;

/** The 32 bytes that the header claims, or why it claims none. */
export function readSignature(header: string | undefined): Buffer | { reason: string } {
  if (header === undefined || header === '') return { reason: 'The request has no X-Hub-Signature-256 header' };
  if (header.startsWith('sha1=')) return { reason: 'The signature is SHA-1; the one in X-Hub-Signature-256 is wanted, which is SHA-256' };
  if (!FORM.test(header)) return { reason: 'X-Hub-Signature-256 is not "sha256=" with 64 lower-case hexadecimal digits after it' };
  return Buffer.from(header.slice('sha256='.length), 'hex');
}

/** What signatures are checked with: one secret, or two while one replaces the other. */
export interface SignatureKeys {
  /** Undefined: no secret is configured, and nothing can be accepted. */
  current(): readonly KeyObject[] | undefined;
}

/** Keys for the secrets that `read` gives at each call; made again only when a secret changes. */
export function signatureKeys(read: () => string | readonly string[] | undefined): SignatureKeys {
  let known: readonly string[] = [];
  let keys: readonly KeyObject[] = [];
  return {
    current: () => {
      const value = read();
      const secrets = (typeof value === 'string' ? [value] : (value ?? [])).filter((secret) => secret !== '');
      if (secrets.length !== known.length || secrets.some((secret, index) => secret !== known[index])) {
        known = secrets;
        keys = secrets.map((secret) => createSecretKey(secret, 'utf8'));
      }
      return keys.length > 0 ? keys : undefined;
    },
  };
}

/** Takes the body in pieces; `matches` once all of it was given. */
export interface Verification {
  update(chunk: Uint8Array): void;
  matches(): boolean;
}

export function verification(keys: readonly KeyObject[], claimed: Buffer): Verification {
  const hmacs: Hmac[] = keys.map((key) => createHmac('sha256', key));
  return {
    update: (chunk) => {
      for (const hmac of hmacs) hmac.update(chunk);
    },
    // Every key is tried, so that the time says nothing of which one fits.
    matches: () => hmacs.map((hmac) => timingSafeEqual(hmac.digest(), claimed)).includes(true),
  };
}
