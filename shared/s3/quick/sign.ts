// Signature Version 4 of one request to S3 whose body is there whole, by the signer that the SDK has.
import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface Request {
  method: string;
  /** As it is sent: each segment percent-encoded, without a query. */
  path: string;
  /** All that is signed, the host among them. Names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** Hexadecimal sha-256 of the body. */
  content: string;
}

/** Gives the headers that a request is sent with. */
export function createSigner({ sessionToken, ...keys }: Credentials, region: string) {
  const credentials = { ...keys, ...(sessionToken && { sessionToken }) };
  // S3 signs a path as it is sent.
  const signer = new SignatureV4({ service: 's3', region, credentials, sha256: Sha256, uriEscapePath: false, applyChecksum: false });
  return async ({ method, path, headers, content }: Request, now = new Date()): Promise<Record<string, string>> => {
    const all = { ...headers, 'x-amz-content-sha256': content };
    const signed = await signer.sign({ method, protocol: 'http:', hostname: headers['host'] ?? '', path, query: {}, headers: all }, { signingDate: now });
    return signed.headers;
  };
}

/** As the signer asks for it: a hash, or with a secret its HMAC. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const key = typeof secret === 'string' || secret === undefined ? secret : ArrayBuffer.isView(secret) ? secret : new Uint8Array(secret);
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key as string | Uint8Array);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    throw new Error('Each is used once');
  }
}
