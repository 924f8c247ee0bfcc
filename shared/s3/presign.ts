// URLs that stand for one request each: to store one blob, with exactly these bytes, or to read one; for ten minutes.
import type { Digest } from '../ports/storage.ts';
import { configOf, type Connection } from './connect.ts';
import { base64Of, blobKey } from './layout.ts';

const SECONDS = 600;

export interface PresignedPut {
  url: string;
  /** To be sent as they are: they are part of what was signed. */
  headers: Record<string, string>;
}

export interface Presign {
  /**
   * A PUT of the blob of this digest and size, and of no other bytes: the server checks length and sha-256. `replace`: also where something is stored
   * already; else such a PUT is answered 412, and the blob is there. Whoever has the URL can use it: it belongs in no log, object or event.
   */
  presignPut(blob: { digest: Digest; size: number }, options?: { replace?: boolean }): Promise<PresignedPut>;
  /** A GET of the blob. */
  presignGet(digest: Digest): Promise<string>;
}

type Signer = (method: 'GET' | 'PUT', key: string, headers: Record<string, string>) => Promise<string>;

export function createPresign(connection: Connection): Presign {
  let signer: Promise<Signer> | undefined;
  const sign: Signer = async (...request) => {
    signer ??= createSigner(connection).catch((error: unknown) => {
      signer = undefined;
      throw error;
    });
    return (await signer)(...request);
  };
  return {
    presignPut: async ({ digest, size }, { replace = false } = {}) => {
      if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`A blob has a whole number of bytes, not ${size}`);
      const headers = { 'content-length': String(size), 'x-amz-checksum-sha256': base64Of(digest), ...(!replace && { 'if-none-match': '*' }) };
      return { url: await sign('PUT', blobKey(connection.prefix, digest), headers), headers };
    },
    presignGet: (digest) => sign('GET', blobKey(connection.prefix, digest), {}),
  };
}

/** The SDK finds the address of the bucket once; what is signed from then on takes a tenth of the time of asking it for each URL. */
async function createSigner(connection: Connection): Promise<Signer> {
  const [{ S3RequestPresigner, getSignedUrl }, { sdk }] = await Promise.all([import('./presigner.ts'), connection.open()]);
  // By default the checksum of an empty body would be signed into the URL.
  const client = new sdk.S3Client({ ...configOf(connection.options), requestChecksumCalculation: 'WHEN_REQUIRED' });
  const sample = new URL(await getSignedUrl(client, new sdk.GetObjectCommand({ Bucket: connection.bucket, Key: 'k' })));
  const presigner = new S3RequestPresigner(client.config);
  return async (method, key, headers) => {
    const path = `${sample.pathname.slice(0, -1)}${key.split('/').map(encodeSegment).join('/')}`;
    const host = { protocol: sample.protocol, hostname: sample.hostname, ...(sample.port !== '' && { port: Number(sample.port) }) };
    const names = new Set(Object.keys(headers));
    const request = { ...host, method, path, query: {}, headers: { host: sample.host, ...headers } };
    const signed = await presigner.presign(request, {
      expiresIn: SECONDS,
      signableHeaders: new Set(['host', ...names]),
      unhoistableHeaders: names,
    });
    const query = Object.entries(signed.query ?? {}).map(([name, value]) => `${encodeSegment(name)}=${encodeSegment(String(value))}`);
    return `${sample.origin}${signed.path}?${query.join('&')}`;
  };
}

/** As AWS wants it: encodeURIComponent leaves five characters that it does not. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
