// One attempt to store a small object without the SDK, which costs a process several times as much. Whatever is not a plain success or "it is there
// already" is left to the SDK, with its attempts, its credentials and its explanations: the same write may be asked for twice.
import type { Agent, RequestOptions } from 'node:http';
import type { S3Options } from '../connect.ts';
import { S3Failure } from '../errors.ts';
import { createSigner, type Credentials } from './sign.ts';

export interface QuickPut {
  key: string;
  body: Uint8Array;
  /** Hexadecimal sha-256 of the body. */
  sha256: string;
  metadata: Readonly<Record<string, string>>;
  ifAbsent: boolean;
}

/** Resolves with whether it is stored. Throws S3Failure (412) where it was to be absent, and is not. */
export type PutQuickly = (put: QuickPut) => Promise<boolean>;

/** More is seldom, and its bytes cost more than the SDK does. */
const MAX_BYTES = 1024 * 1024;
const MAX_SOCKETS = 64;
/** Then the SDK tries, which has more patience. */
const TIMEOUT_MS = 5000;
/** Not to be repeated by the SDK because it was tried here: these pass. */
const PASSING = new Set([408, 409, 412, 429]);

/** Undefined where the SDK has to say where to ask, or as whom: AWS itself, a profile, a role. */
export function createQuickPut({ endpoint, bucket, region = process.env['AWS_REGION'] ?? 'us-east-1', credentials }: S3Options): PutQuickly | undefined {
  const base = endpoint !== undefined && URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const who = credentials ?? fromEnvironment();
  if (!base || !who || base.pathname !== '/' || base.search || base.username || !/^https?:$/.test(base.protocol)) return undefined;
  const { protocol, host, hostname, port } = base;
  const { Agent, request } = process.getBuiltinModule(protocol === 'https:' ? 'node:https' : 'node:http');
  const agent: Agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const sign = createSigner(who, region);
  let refused = false;

  const send = (options: RequestOptions, body: Uint8Array): Promise<{ status: number; isEmpty: boolean }> =>
    new Promise((resolve, reject) => {
      const sent = request(options, (response) => {
        let size = 0;
        response
          .on('data', (chunk: Buffer) => (size += chunk.length))
          .on('end', () => resolve({ status: response.statusCode ?? 0, isEmpty: size === 0 }))
          .on('close', () => reject(new Error('the answer broke off')))
          .on('error', reject);
      });
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer')));
      sent.end(body);
    });

  return async ({ key, body, sha256, metadata, ifAbsent }) => {
    if (refused || body.byteLength > MAX_BYTES || !Object.values(metadata).every(isPlain)) return false;
    const path = `/${bucket}/${key.split('/').map(encoded).join('/')}`;
    const headers = await sign({
      method: 'PUT',
      path,
      content: sha256,
      headers: {
        host,
        'content-type': 'application/octet-stream',
        'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
        ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value])),
        ...(ifAbsent && { 'if-none-match': '*' }),
      },
    });
    const options = {
      ...{ hostname: hostname.replace(/^\[(.*)\]$/, '$1'), ...(port && { port }), path, method: 'PUT', agent, timeout: TIMEOUT_MS },
      headers: { ...headers, 'content-length': body.byteLength },
    };
    const answer = await send(options, body).catch(() => undefined); // the SDK finds out what is wrong, and says so
    if (!answer) return false;
    const { status, isEmpty } = answer;
    if (status === 412 && ifAbsent) throw new S3Failure(`S3 did not store ${JSON.stringify(key.slice(0, 300))}: it is there`, 'PreconditionFailed', status);
    // There are servers that say 200, and then in the body that it was not done.
    if (status === 200 && isEmpty) return true;
    // Not so, then: the SDK knows about regions, clocks and redirects.
    if (status >= 300 && status < 500 && !PASSING.has(status)) refused = true;
    return false;
  };
}

/** As the SDK would take them first. */
function fromEnvironment({ env } = process): Credentials | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = env;
  if (!accessKeyId || !secretAccessKey || env['AWS_PROFILE'] || env['AWS_CREDENTIAL_EXPIRATION']) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
}

const encoded = (segment: string) => encodeURIComponent(segment).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** What is signed is what is sent: other values are changed on their way. */
const isPlain = (value: string) => /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(value);
