// The API server's refusals in the words of the port.
import { InvalidObject, type Kind } from '../../objects/kinds.ts';
import { AlreadyExists, Conflict, Forbidden, NotFound, type Ref } from '../../ports/objects.ts';
import { KubeError } from '../client/error.ts';
import { resourceName } from './resources.ts';

/** Fields that another writer owns by server-side apply; `force` takes them over. */
export class FieldConflict extends Conflict {
  override name = 'FieldConflict';
  constructor(kind: string, ref: Ref, fields: string) {
    super(kind, ref);
    this.message = `${kind} ${ref.namespace}/${ref.name}: other writers own fields of this apply: ${fields}`;
  }
}

/** The port's error where it has one, else the error as it came. */
export function portError(kind: Kind, ref: Ref, error: unknown): unknown {
  if (!(error instanceof KubeError)) return error;
  const { status, reason, details } = error;
  if (status === 404) return isMissing(error) && details?.kind !== 'namespaces' ? new NotFound(kind, ref) : notServed(kind, ref, error);
  if (status === 403) return new Forbidden(`${kind} in namespace ${ref.namespace || '(all)'}: ${error.message}`, { cause: error });
  if (status === 409) return reason === 'AlreadyExists' ? new AlreadyExists(kind, ref) : conflict(kind, ref, error);
  if (status === 422 && details?.causes?.some(({ field }) => field === 'metadata.uid')) return new Conflict(kind, ref);
  if (isInvalid(error)) return new InvalidObject(`${kind} ${ref.namespace}/${ref.name} is refused by the API server: ${error.message}`, { cause: error });
  return error;
}

/** The object is missing, and not its whole kind. */
export function isMissing(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404 && error.details?.name !== undefined;
}

/** A 404 that speaks of no object: the kind is not installed, or the namespace is not there. Both want a person, and no code that takes it for absence. */
export function notServed(kind: Kind, { namespace }: Pick<Ref, 'namespace'>, error: KubeError): Error {
  const why =
    error.details?.kind === 'namespaces'
      ? `namespace ${namespace} does not exist: create it, or write to another`
      : `the cluster has no ${resourceName(kind)}: run \`tidemill install\`, or \`tidemill doctor\` to see what is missing`;
  return new KubeError({ status: 404, reason: 'NotServed', message: `${kind}: ${why} (${error.message})`, uncertain: false, cause: error });
}

function conflict(kind: Kind, ref: Ref, { details }: KubeError): Conflict {
  const owned = details?.causes?.filter(({ reason }) => reason === 'FieldManagerConflict') ?? [];
  if (owned.length === 0) return new Conflict(kind, ref);
  return new FieldConflict(kind, ref, owned.map(({ field, message }) => `${field ?? '?'} (${message ?? '?'})`).join('; '));
}

/** 500 with these words is what apply says of a field that is not in the schema. */
function isInvalid({ status, message }: KubeError): boolean {
  return status === 422 || status === 400 || status === 413 || (status === 500 && message.includes('field not declared in schema'));
}
