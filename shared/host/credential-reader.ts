// What the git adapter is given for the name of a Credential: its object and its secret put together, when it is needed.
import { parseCredentialRef } from '../decisions/names.ts';
import { type GitCredential, GitError } from '../ports/git.ts';
import type { Objects } from '../ports/objects.ts';
import type { Secrets } from '../ports/secrets.ts';

export function credentialReader(objects: Objects, secrets: Secrets): (name: string) => Promise<GitCredential> {
  return async (ref) => {
    const { namespace, name } = parseCredentialRef(ref);
    const credential = await objects.get('Credential', { namespace, name });
    if (!credential) throw new GitError('denied', `There is no credential ${name}; add it with \`tidemill credential add ${name}\``);
    const { type, host, username = 'git', secret } = credential.spec;
    const value = await secrets.get(secret, namespace);
    return type === 'ssh' ? { type, host, privateKey: value } : { type, host, username, password: value.replace(/\r?\n$/, '') };
  };
}
