// What the git adapter is given for the name of a Credential: its object and its secret put together, when it is needed.
import type { GitCredential } from '../../shared/git/credentials.ts';
import { GitError } from '../../shared/ports/git.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import type { Secrets } from '../../shared/ports/secrets.ts';

const NAMESPACE = 'default';

export function credentialReader(objects: Objects, secrets: Secrets): (name: string) => Promise<GitCredential> {
  return async (name) => {
    const credential = await objects.get('Credential', { namespace: NAMESPACE, name });
    if (!credential) throw new GitError('denied', `There is no credential ${name}; add it with \`tidemill credential add ${name}\``);
    const { type, host, username = 'git', secret } = credential.spec;
    const value = await secrets.get(secret);
    return type === 'ssh' ? { type, host, privateKey: value } : { type, host, username, password: value.replace(/\r?\n$/, '') };
  };
}
