// What Tekton's admission says of a TaskRun that it does not take, as the error of the Runner port.
import { InvalidTaskRun } from '../../ports/runner.ts';
import { KubeError } from '../../kubernetes/client/error.ts';

/** "admission webhook "…" denied the request: validation failed: …" and the like: what stands before the field is of no use to anyone. */
const PREFIX = /^.*?(?:denied the request: )(?:(?:validation|mutation) failed: )?/s;

/** What the API server adds of itself: the method and path before, the code behind. */
const OWN_WORDS = /^[A-Z]+ \/\S+: |\s*\(HTTP \d+ \w+\)$/g;

/** The error to throw: InvalidTaskRun where the object itself was refused, else what was given. */
export function refusal(error: unknown): unknown {
  if (!(error instanceof KubeError)) return error;
  const { status, message } = error;
  const denied = /admission webhook .* denied the request/.test(message);
  if (!(denied || status === 400 || status === 422)) return error;
  const text = message.replaceAll(OWN_WORDS, '').replace(PREFIX, '').trim();
  return new InvalidTaskRun(text.replaceAll(FIELD, asWritten) || message);
}

/** Tekton names some fields as its own code does (steps[0].Image). */
const FIELD = /\bspec(?:\.\w+|\[\w+\])+/g;

function asWritten(field: string): string {
  return field.replaceAll(/\.([A-Z])/g, (_, letter: string) => `.${letter.toLowerCase()}`);
}

/** Whether there is no such thing. */
export function isMissing(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}
