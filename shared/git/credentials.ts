// Credentials on their way to git: by its environment and a file of mode 0600, for one host only, never in an argument or an address.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type GitCredential, GitError } from '../ports/git.ts';
import type { Address } from './address.ts';

/** What git needs to reach one address; `dispose` removes what was written for it. */
export interface Access {
  env: Record<string, string>;
  config: Record<string, string>;
  /** Never to be seen in an error. */
  secrets: string[];
  dispose(): Promise<void>;
}

/** The shell's own printf: the values stand in no argument list. */
const HELPER = `!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' "$TIDEMILL_GIT_USERNAME" "$TIDEMILL_GIT_PASSWORD"; }; f`;

/** `directory`: the adapter's, with `keys` and `ssh` in it. Throws GitError "refused" where the credential is for another host or another kind of address. */
export async function openAccess(address: Address, credential: GitCredential | undefined, directory: string): Promise<Access> {
  if (address.kind === 'local') return { env: { GIT_ALLOW_PROTOCOL: 'file' }, config: {}, secrets: [], dispose: async () => {} };
  if (credential) checkCredential(address, credential);
  if (address.kind === 'ssh') return openSsh(credential?.type === 'ssh' ? credential.privateKey : undefined, directory);
  return openHttp(address, credential?.type === 'basic' ? credential : undefined);
}

function checkCredential(address: Address, credential: GitCredential): void {
  if (credential.host.toLowerCase() !== address.host) {
    throw new GitError('refused', `The credential is for ${credential.host} and is not sent to ${address.host}; use one whose host is ${address.host}`);
  }
  const wanted = address.kind === 'ssh' ? 'ssh' : 'basic';
  if (credential.type !== wanted) {
    throw new GitError(
      'refused',
      `${address.kind} wants a credential of type "${wanted}", this one is "${credential.type}"; add one of that type for ${address.host}`,
    );
  }
  if (credential.type === 'basic' && /[\0\r\n]/.test(credential.username + credential.password)) {
    throw new GitError('refused', `The credential for ${address.host} has a line break in it; set it again without`);
  }
}

function openHttp(address: Address, credential: Extract<GitCredential, { type: 'basic' }> | undefined): Access {
  const protocols = address.kind === 'http' ? 'http:https' : 'https';
  // git itself asks this helper only for the scheme, host and port in the key: a redirect elsewhere gets nothing.
  const config: Record<string, string> = credential ? { [`credential.${address.kind}://${address.host}.helper`]: HELPER } : {};
  const env: Record<string, string> = { GIT_ALLOW_PROTOCOL: protocols };
  if (credential) Object.assign(env, { TIDEMILL_GIT_USERNAME: credential.username, TIDEMILL_GIT_PASSWORD: credential.password });
  const secrets = credential ? [credential.password, encodeURIComponent(credential.password), basic(credential)] : [];
  return { env, config, secrets, dispose: async () => {} };
}

function basic({ username, password }: { username: string; password: string }): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}

/** Without a credential ssh has no key at all: the server's own identity is nobody's to use. */
async function openSsh(privateKey: string | undefined, directory: string): Promise<Access> {
  for (const name of ['keys', 'ssh']) await mkdir(join(directory, name), { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(directory, 'keys', 'key-'));
  const file = join(folder, 'key');
  if (privateKey) await writeFile(file, privateKey.endsWith('\n') ? privateKey : `${privateKey}\n`, { mode: 0o600 });
  const options = {
    BatchMode: 'yes',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    IdentityFile: privateKey ? quoteOption(file) : 'none',
    StrictHostKeyChecking: 'accept-new',
    UserKnownHostsFile: quoteOption(join(directory, 'ssh', 'known_hosts')),
    GlobalKnownHostsFile: '/dev/null',
    ConnectTimeout: '20',
    ServerAliveInterval: '15',
    ServerAliveCountMax: '4',
    ClearAllForwardings: 'yes',
    PermitLocalCommand: 'no',
    ControlMaster: 'no',
    ControlPath: 'none',
  };
  const command = ['ssh', '-F', '/dev/null', '-T', ...Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`])];
  return {
    env: { GIT_ALLOW_PROTOCOL: 'ssh', GIT_SSH_COMMAND: command.map(quoteShell).join(' '), GIT_SSH_VARIANT: 'ssh' },
    config: {},
    secrets: [],
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

/** ssh splits the values of these options at spaces, and knows double quotes. */
function quoteOption(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`;
}

function quoteShell(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
