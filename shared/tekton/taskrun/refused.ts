// What Tekton's admission says of a TaskRun that it does not take, as the error of the Runner port.
import { InvalidTaskRun, NotPrepared } from '../../ports/runner.ts';
import { KubeError } from '../../kubernetes/client/error.ts';

/** "admission webhook "…" denied the request: validation failed: …" and the like: what stands before the field is of no use to anyone. */
const PREFIX = /^.*?(?:denied the request: )(?:(?:validation|mutation) failed: )?/s;

/** What need not be said to `tidemill install`. */
const DEFAULT_INSTALLATION = 'tidemill-system';

/** What the API server adds of itself: the method and path before, the code behind. */
const OWN_WORDS = /^[A-Z]+ \/\S+: |\s*\(HTTP \d+ \w+\)$/g;

/** Said of a right that is missing; a quota that is used up and a policy that says no are 403 too. */
const NO_RIGHT = /User "(?:system:serviceaccount:([^:"]+):)?[^"]*" cannot \w+ resource/;

/** The error to throw: InvalidTaskRun where the object itself was refused, NotPrepared where we have no rights in `namespace`, else what was given. */
export function refusal(error: unknown, namespace?: string): unknown {
  if (!(error instanceof KubeError)) return error;
  const { status, message } = error;
  const right = status === 403 ? NO_RIGHT.exec(message) : null;
  if (right && namespace !== undefined) return new NotPrepared(notPrepared(namespace, right[1]), { cause: error });
  const denied = /admission webhook .* denied the request/.test(message);
  if (!(denied || status === 400 || status === 422)) return error;
  const text = message.replaceAll(OWN_WORDS, '').replace(PREFIX, '').trim();
  return new InvalidTaskRun(text.replaceAll(FIELD, asWritten) || message);
}

function notPrepared(namespace: string, installation: string | undefined): string {
  const of = installation && installation !== DEFAULT_INSTALLATION ? ` --namespace ${installation}` : '';
  return `The namespace ${namespace} is not prepared for TaskRuns of tidemill; prepare it with \`tidemill install${of} --project-namespace ${namespace}\`, then run this again`;
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
