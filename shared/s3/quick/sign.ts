// Signature Version 4 of one request to S3 whose body is there whole.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
import { createHmac, hash } from 'node:crypto';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface Request {
  method: string;
  /** As it is sent: each segment percent-encoded, without a query. */
  path: string;
  /** All that is signed, the host among them. Names in lower case; values without blanks at their ends or two in a row. */
  headers: Readonly<Record<string, string>>;
  /** Hexadecimal sha-256 of the body. */
  content: string;
}

/** Gives the headers that a request is sent with. The key is derived once for a day. */
export function createSigner({ accessKeyId, secretAccessKey, sessionToken }: Credentials, region: string) {
  let derived: { day: string; key: Buffer } | undefined;
  const keyOf = (day: string): Buffer => {
    if (derived?.day !== day) derived = { day, key: [day, region, 's3', 'aws4_request'].reduce(hmac, Buffer.from(`AWS4${secretAccessKey}`)) };
    return derived.key;
  };
  return ({ method, path, headers, content }: Request, now = new Date()): Record<string, string> => {
    const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const day = time.slice(0, 8);
    const signed: Record<string, string> = {
      ...headers,
      'x-amz-content-sha256': content,
      'x-amz-date': time,
      ...(sessionToken && { 'x-amz-security-token': sessionToken }),
    };
    const sorted = Object.keys(signed).toSorted();
    const names = sorted.join(';');
    const canonical = `${method}\n${path}\n\n${sorted.map((name) => `${name}:${signed[name]}\n`).join('')}\n${names}\n${content}`;
    const scope = `${day}/${region}/s3/aws4_request`;
    const signature = hmac(keyOf(day), `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', canonical, 'hex')}`).toString('hex');
    return { ...signed, authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}` };
  };
}

const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
