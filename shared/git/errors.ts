// What git said, as an error that names the kind, the reason and the way out, and holds no credential.
import { GitError, type GitErrorKind } from '../ports/git.ts';

interface Rule {
  pattern: RegExp;
  kind: GitErrorKind;
  says: (where: string) => string;
}

/** The first that matches counts. */
const RULES: Rule[] = [
  {
    pattern: /couldn't find remote ref|not our ref|Server does not allow request for unadvertised|no such remote ref/i,
    kind: 'not-found',
    says: (where) => `${where} has no such branch, tag or commit; see that it was pushed`,
  },
  {
    pattern: /unable to update url base from redirection|redirect/i,
    kind: 'refused',
    says: (where) => `${where} redirects to another place; use the address that it redirects to`,
  },
  { pattern: /transport '.*' not allowed/i, kind: 'refused', says: (where) => `${where} leads to a protocol that is not used here; use https or ssh` },
  {
    pattern: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    kind: 'refused',
    says: (where) =>
      `${where} showed another host key than before; if the server was really set up anew, remove its line from known_hosts in the folder of git`,
  },
  {
    pattern:
      /fsck error|in strict mode|bad (?:tree|commit|tag) object|unpack-objects abnormal exit|hasDot|gitmodules(?:Url|Path|Name|Symlink)|invalid path|fsck/i,
    kind: 'refused',
    says: (where) => `${where} holds objects that git's own check refuses as damaged or dangerous; \`git fsck --strict\` there names them`,
  },
  {
    pattern: /detected dubious ownership/i,
    kind: 'refused',
    says: (where) => `${where} belongs to another user of this machine; change its owner or clone it`,
  },
  {
    pattern:
      /could not read (?:Username|Password)|Authentication failed|Permission denied|Invalid (?:username|credentials)|HTTP (?:401|403)|returned error: (?:401|403)|Access denied|terminal prompts disabled|unable to get password/i,
    kind: 'denied',
    says: (where) => `${where} wants a credential that may read it, or does not exist; add a Credential for its host and name it in the project`,
  },
  {
    pattern:
      /Repository not found|repository '.*' not found|does not appear to be a git repository|not a git repository|returned error: 404|does not exist|no such file or directory|remote: Not Found/i,
    kind: 'not-found',
    says: (where) => `There is no git repository at ${where}; check the address`,
  },
  {
    pattern: /Could not resolve host|Name or service not known/i,
    kind: 'unreachable',
    says: (where) => `The host of ${where} has no address that is known here; check its spelling and the network`,
  },
  { pattern: /No space left on device/i, kind: 'unreachable', says: (where) => `The disk is full: what came from ${where} could not be kept; make room` },
  {
    pattern: /SSL|certificate/i,
    kind: 'unreachable',
    says: (where) => `No trusted connection to ${where}; check its certificate, or name its authority in SSL_CERT_FILE`,
  },
];

/** The error for a git process that failed. `secrets` are taken out of what is quoted. */
export function gitFailure(stderr: string, where: string, secrets: readonly string[] = []): GitError {
  const rule = RULES.find(({ pattern }) => pattern.test(stderr));
  const said = quote(stderr, secrets);
  if (rule) return new GitError(rule.kind, `${rule.says(where)} (git: ${said})`);
  return new GitError('unreachable', `${where} could not be read now (git: ${said})`);
}

/** What a mirror of ours is like after a power failure or a hand in it: it is thrown away and fetched anew. */
export class Damaged extends Error {
  override name = 'Damaged';
}

const DAMAGE =
  /object file .* is empty|loose object .* is corrupt|packfile .* (?:cannot be|is far too|does not match)|inflate: data stream error|unable to unpack .* header|bad object refs\/held|did not send all necessary objects|not a git repository: '|failed to (?:read|unpack) (?:object|tree)|unable to read (?:tree|[0-9a-f]{40})|shallow file .* (?:changed|corrupt)|bad shallow line|index file .* is too small/i;

export function isDamage(stderr: string): boolean {
  return DAMAGE.test(stderr);
}

/** The telling lines of git, without what a server could draw on a terminal with. */
function quote(stderr: string, secrets: readonly string[]): string {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== '' && !/^(?:Cloning|warning: redirecting)/.test(line));
  const fatal = lines.filter((line) => /^(?:fatal|error|ERROR|remote)/.test(line));
  let text = (fatal.length ? fatal : lines)
    .slice(0, 4)
    .join('; ')
    .replace(/\p{Cc}/gu, '')
    .slice(0, 600);
  for (const secret of secrets) if (secret) text = text.replaceAll(secret, '***');
  return text || 'it gave no reason';
}
