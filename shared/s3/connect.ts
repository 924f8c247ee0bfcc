// The way to one bucket: the client, made when it is first needed, and every request through one place that says what failed.
import type { S3Client } from '@aws-sdk/client-s3';
import { explain } from './errors.ts';
import { createQuickPut, type PutQuickly } from './quick/put.ts';
import type * as sdkModule from './sdk.ts';

export interface S3Options {
  /** Address of a server that speaks S3, http(s)://host[:port]. Absent: AWS. */
  endpoint?: string | undefined;
  bucket: string;
  /** Default: AWS_REGION, else us-east-1. */
  region?: string | undefined;
  /** Every key begins with it; "a/b/" or "a/b". Default: none. */
  prefix?: string | undefined;
  /** Default: where the SDK finds them (environment, web identity, instance). */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  /** Of one request, the first included. Default 6. */
  maxAttempts?: number | undefined;
  /** A server that says nothing for so long is given up. Default 30 s. */
  timeout_ms?: number | undefined;
}

type Sdk = typeof sdkModule;

export interface Connection {
  bucket: string;
  /** "" or ends with "/". */
  prefix: string;
  options: S3Options;
  /** The SDK's commands and the client. */
  open(): Promise<{ sdk: Sdk; client: S3Client }>;
  /** Stores a small object without the SDK, where that can be had; false: it was not. */
  putQuickly: PutQuickly;
  /** Does one operation; what it throws says which, on which key, why, and what to do. */
  run<T>(operation: string, key: string, work: (sdk: Sdk, client: S3Client) => Promise<T>): Promise<T>;
}

/** Sockets to the server; further requests wait for one. */
const MAX_SOCKETS = 64;

export function connect(options: S3Options): Connection {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(options.bucket))
    throw new TypeError(`${JSON.stringify(options.bucket)} is no name of a bucket: 3 to 63 lower-case letters, digits, "." and "-"`);
  const prefix = normalPrefix(options.prefix);
  let quick: PutQuickly | undefined;
  let opened: Promise<{ sdk: Sdk; client: S3Client }> | undefined;
  const open = () => (opened ??= import('./sdk.ts').then((sdk) => ({ sdk, client: new sdk.S3Client(configOf(options)) })));
  return {
    bucket: options.bucket,
    prefix,
    options,
    open,
    putQuickly: (put) => (quick ??= createQuickPut(options) ?? (async () => false))(put),
    run: async (operation, key, work) => {
      const { sdk, client } = await open();
      try {
        return await work(sdk, client);
      } catch (error) {
        throw explain(error, { operation, key, bucket: options.bucket, endpoint: options.endpoint });
      }
    },
  };
}

/** The client's settings, for whoever makes one of their own with the same. */
export function configOf({ endpoint, region, credentials, maxAttempts = 6, timeout_ms = 30_000 }: S3Options) {
  return {
    region: region ?? process.env['AWS_REGION'] ?? 'us-east-1',
    // Servers that are not AWS seldom have a host name for each bucket.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ...(credentials && { credentials }),
    maxAttempts,
    // Every body that is read is checked here against a sha-256.
    responseChecksumValidation: 'WHEN_REQUIRED' as const,
    requestHandler: {
      connectionTimeout: 5000,
      requestTimeout: timeout_ms,
      throwOnRequestTimeout: true,
      socketTimeout: timeout_ms,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  };
}

function normalPrefix(prefix = ''): string {
  const plain = prefix.replace(/\/+$/, '');
  if (plain === '') return '';
  if (plain.startsWith('/') || plain.split('/').some((part) => part === '' || part === '.' || part === '..') || /[\p{Cc}\\]/u.test(plain))
    throw new TypeError(`${JSON.stringify(prefix)} cannot stand before keys: no "//", no "..", and no "/" at its beginning`);
  return `${plain}/`;
}
