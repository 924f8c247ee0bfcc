// Where secrets are kept: files of mode 0600 on one machine, Secrets in a cluster. Read when needed, never stored in an object.

export interface Secrets {
  /** The secret of this name. Throws MissingSecret. */
  get(name: string): Promise<string>;
  set(name: string, value: string): Promise<void>;
  delete(name: string): Promise<void>;
}

export class MissingSecret extends Error {
  override name = 'MissingSecret';
  constructor(name: string) {
    super(`There is no secret named ${name}; set it with \`tidemill secret set ${name}\``);
  }
}
