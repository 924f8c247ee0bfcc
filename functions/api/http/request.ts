// What comes in, checked before anybody looks at it: the body's type, size and form, and the query.
import { z } from 'zod';
import { findJsonError } from './json-position.ts';
import { invalid, Problem } from './problem.ts';

/** Bytes. No request of this API needs more. */
const BODY_LIMIT = 1024 * 1024;
const SECRET_LIMIT = 65_536;

/** The request's JSON body as `schema` has it. Throws Problem: 400, 413, 415 or 422. */
export async function body<T extends z.ZodType>(request: Request, schema: T): Promise<z.infer<T>> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json')
    throw new Problem(415, 'media-type', `The body must be sent as application/json, not ${type ? `"${type.slice(0, 100)}"` : 'without a content type'}.`);
  const checked = schema.safeParse(parseJson(await readText(request)));
  if (!checked.success) throw invalid(422, 'body', checked.error);
  return checked.data;
}

/** As `body`, but no body at all is the empty object. */
export async function optionalBody<T extends z.ZodType>(request: Request, schema: T): Promise<z.infer<T>> {
  if (request.body && request.headers.get('content-length') !== '0') return body(request, schema);
  const checked = schema.safeParse({});
  if (!checked.success) throw invalid(422, 'body', checked.error);
  return checked.data;
}

/** The query as `schema` has it; unknown parameters are refused, so that a misspelt one is not silently without effect. */
export function query<T extends z.ZodType>(request: Request, schema: T): z.infer<T> {
  const found: Record<string, string> = {};
  for (const [key, value] of new URL(request.url).searchParams) {
    // Of every request: looked at before (namespaces.ts).
    if (key === 'namespace') continue;
    if (Object.hasOwn(found, key)) throw new Problem(400, 'invalid', `The query has "${key.slice(0, 100)}" more than once.`);
    found[key] = value;
  }
  const checked = schema.safeParse(found);
  if (!checked.success) throw invalid(400, 'query', checked.error);
  return checked.data;
}

/** Query parameters of every list. */
export const page = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  continue: z.string().max(1024).optional(),
};

/** What is kept as a secret; as many bytes as the store of secrets takes. */
export const secretValue = z
  .string()
  .min(1)
  .max(SECRET_LIMIT)
  .refine((value) => Buffer.byteLength(value) <= SECRET_LIMIT, `must have at most ${SECRET_LIMIT} bytes`);

/** A flag in a query: ?follow, ?follow=1, ?follow=true. */
export const flag = z.enum(['', '0', '1', 'true', 'false']).transform((value) => value !== '0' && value !== 'false');

async function readText(request: Request): Promise<string> {
  const tooLarge = () => new Problem(413, 'too-large', `The body is larger than ${BODY_LIMIT} bytes.`);
  if (Number(request.headers.get('content-length') ?? 0) > BODY_LIMIT) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > BODY_LIMIT) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Problem(400, 'malformed', 'The body is not valid UTF-8.');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const error = findJsonError(text);
    const where = error ? ` at line ${error.line}, column ${error.column} (position ${error.position}): expected ${error.expected}` : '';
    throw new Problem(400, 'malformed', `The body is not JSON${where}.`, error && [{ path: `@${error.position}`, message: `expected ${error.expected}` }]);
  }
}
