// Where secrets are kept: files of mode 0600 on one machine, Secrets in a cluster. Read when needed, never stored in an object.

/**
 * A secret belongs to a namespace, as the object that names it does; default: "default". In a cluster it is a Secret of that name there,
 * labelled SECRET_LABEL, with the value under SECRET_KEY; a name run.<namespace>.<name> (decisions/names.ts, runSecretName) stands for what
 * Tasks see as the Secret <name> of that namespace: a value that is a JSON object of strings has those keys.
 */
export interface Secrets {
  /** The secret of this name. Throws MissingSecret. */
  get(name: string, namespace?: string): Promise<string>;
  set(name: string, value: string, namespace?: string): Promise<void>;
  delete(name: string, namespace?: string): Promise<void>;
}

/** Label of those Secrets of a cluster that tidemill may read and write, with the value "true". Others are not there for it. */
export const SECRET_LABEL = 'tidemill.dev/secret';
export const SECRET_KEY = 'value';

export class MissingSecret extends Error {
  override name = 'MissingSecret';
  constructor(name: string) {
    super(`There is no secret named ${name}; set it with \`tidemill secret set ${name}\``);
  }
}
