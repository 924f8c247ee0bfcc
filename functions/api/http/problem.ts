// Errors as people and programs get them: RFC 9457 problem+json, whatever was thrown.
// https://www.rfc-editor.org/rfc/rfc9457
import { z } from 'zod';
import { InvalidObject } from '../../../shared/objects/kinds.ts';
import { GitError } from '../../../shared/ports/git.ts';
import { AlreadyExists, Conflict, Expired, NotFound } from '../../../shared/ports/objects.ts';
import { InvalidTaskRun } from '../../../shared/ports/runner.ts';
import { MissingSecret } from '../../../shared/ports/secrets.ts';

const TITLES = {
  400: 'Bad request',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Cannot be processed',
  500: 'Internal error',
  503: 'Not available',
} as const;
export type ProblemStatus = keyof typeof TITLES;

export const problemBody = z.object({
  /** Stable word for programs: urn:tidemill:problem:<word>. */
  type: z.string(),
  title: z.string(),
  status: z.int(),
  /** What failed, why, and what to do. */
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type ProblemBody = z.infer<typeof problemBody>;
type FieldError = NonNullable<ProblemBody['errors']>[number];

export class Problem extends Error {
  override name = 'Problem';
  readonly status: ProblemStatus;
  readonly word: string;
  readonly errors: FieldError[] | undefined;
  constructor(status: ProblemStatus, word: string, detail: string, errors?: FieldError[]) {
    super(detail);
    this.status = status;
    this.word = word;
    this.errors = errors;
  }
}

/** The problem that a thrown thing is. What nobody foresaw is 500 and says nothing of the inside: that goes to the log. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof NotFound) return new Problem(404, 'not-found', `${error.message}.`);
  if (error instanceof AlreadyExists) return new Problem(409, 'exists', `${error.message}. Choose another name, or delete that one first.`);
  if (error instanceof Conflict) return new Problem(409, 'conflict', `${error.message}.`);
  if (error instanceof Expired) return new Problem(410, 'expired', `${error.message} Begin again without "continue".`);
  if (error instanceof InvalidObject || error instanceof InvalidTaskRun) return new Problem(422, 'invalid', error.message);
  if (error instanceof GitError) return new Problem(422, `source-${error.kind}`, error.message);
  if (error instanceof MissingSecret) return new Problem(422, 'missing-secret', error.message);
  return new Problem(500, 'internal', 'Something went wrong that is not your doing; the server’s log has it. Try again.');
}

export function toResponse(problem: Problem): Response {
  const { status, word, message, errors } = problem;
  const body: ProblemBody = { type: `urn:tidemill:problem:${word}`, title: TITLES[status], status, detail: message, ...(errors && { errors }) };
  return Response.json(body, { status, headers: { 'content-type': 'application/problem+json' } });
}

/** A request that does not fit its schema: one entry for each field, at most twenty. */
export function invalid(status: 400 | 422, what: string, error: z.ZodError): Problem {
  const errors = error.issues.slice(0, 20).map((issue) => ({ path: issue.path.map(String).join('.'), message: issue.message }));
  const first = errors[0];
  const where = first?.path ? `${first.path}: ` : '';
  return new Problem(
    status,
    'invalid',
    `The ${what} is not valid: ${where}${first?.message ?? 'unknown reason'}${errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''}.`,
    errors,
  );
}
