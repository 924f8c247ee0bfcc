// Says of a failed request to S3 what was asked, of which bucket and key, why it failed, and what to do. Never holds a credential or a signed URL.

interface Asked {
  operation: string;
  key: string;
  bucket: string;
  endpoint: string | undefined;
}

/** A request to S3 that failed for good, or after all its attempts. `code` is S3's own (NoSuchKey), or Node's (ECONNREFUSED). */
export class S3Failure extends Error {
  override name = 'S3Failure';
  readonly code: string;
  /** HTTP status; undefined: no answer came. */
  readonly status: number | undefined;
  constructor(message: string, code: string, status: number | undefined) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

interface SdkError {
  name?: string;
  message?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number; attempts?: number };
}

/** What is no failure of a request (an error of ours, or of the body that was to be stored) stays as it is. */
export function explain(error: unknown, asked: Asked): unknown {
  if (error instanceof S3Failure || !isOfTheSdk(error)) return error;
  const status = error.$metadata?.httpStatusCode;
  const code = codeOf(error, status);
  const attempts = error.$metadata?.attempts ?? 1;
  const where = `bucket ${asked.bucket}${asked.endpoint === undefined ? '' : ` at ${withoutUser(asked.endpoint)}`}`;
  const what = asked.key === '' ? '' : ` ${JSON.stringify(asked.key.slice(0, 300))}`;
  const tried = attempts > 1 ? ` after ${attempts} attempts` : '';
  return new S3Failure(
    `S3 could not ${asked.operation}${what} (${where}): ${reasonOf(error, code, status)}${tried}. ${adviceOn(code, status, asked)}`,
    code,
    status,
  );
}

/** Its code and status, for those who decide by them. */
export function isFailure(error: unknown, ...codes: (string | number)[]): error is S3Failure {
  return error instanceof S3Failure && codes.some((code) => code === error.code || code === error.status);
}

function isOfTheSdk(error: unknown): error is SdkError {
  if (!(error instanceof Error)) return false;
  const { $metadata, code, name } = error as SdkError;
  return $metadata !== undefined || name === 'TimeoutError' || name === 'CredentialsProviderError' || (code !== undefined && NETWORK.has(code));
}

const NETWORK = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** A HEAD has no body, so the SDK knows only the status. */
function codeOf({ name, code }: SdkError, status: number | undefined): string {
  if (code !== undefined && NETWORK.has(code)) return code;
  if (name !== undefined && name !== 'Error' && name !== 'Unknown' && name !== 'UnknownError' && !/^\d+$/.test(name)) return name;
  return status === undefined ? 'Unknown' : String(status);
}

function reasonOf({ message }: SdkError, code: string, status: number | undefined): string {
  const said = message && message !== 'UnknownError' && message !== code ? `: ${withoutSignatures(message).slice(0, 300)}` : '';
  return `${code}${status !== undefined && code !== String(status) ? ` (HTTP ${status})` : ''}${said}`.replace(/\.$/, '');
}

function adviceOn(code: string, status: number | undefined, { bucket }: Asked): string {
  if (code === 'NoSuchBucket') return `There is no bucket ${bucket}: \`tidemill install\` makes it, or make it yourself, or correct TIDEMILL_S3_BUCKET`;
  if (code === 'CredentialsProviderError') return 'There are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  if (/^(?:InvalidAccessKeyId|SignatureDoesNotMatch|XAdminUserNotFound)$/.test(code))
    return 'The credentials are not those of this server: correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  if (code === 'RequestTimeTooSkewed') return 'The clock of this machine is off: set it';
  if (code === 'ObjectParentIsFile' || code === 'ExistingObjectIsDirectory') return 'This server keeps files: no key may be a folder of another';
  if (status === 403) return `The credentials may not do this: allow them to read, write, list and delete in the bucket ${bucket}`;
  if (status === 301 || code === 'PermanentRedirect' || code === 'AuthorizationHeaderMalformed') return 'The bucket is in another region: correct AWS_REGION';
  if (status === undefined) return 'The server could not be reached: see that it runs, and that TIDEMILL_S3_ENDPOINT is its address';
  if (status >= 500 || status === 429) return 'The server is in trouble or overloaded: try again later';
  return 'Nothing was changed';
}

/** S3 repeats what it was asked to sign: none of it is for a log. */
function withoutSignatures(message: string): string {
  return message.replaceAll(/(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"<]+/gi, '$1…').replaceAll(/https?:\/\/\S*[?&]X-Amz-\S*/gi, 'a signed URL');
}

function withoutUser(endpoint: string): string {
  return endpoint.replace(/^([a-z]+:\/\/)[^/@]*@/i, '$1');
}
