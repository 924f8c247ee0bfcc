// The environment that every git process runs in: nothing of the machine's or the user's configuration, and nothing of a repository's that could act.
import { devNull } from 'node:os';
import { join } from 'node:path';

/** What of our own environment git may need: to be found, to go through a proxy, to know certificates. */
const PASSED_ON = [
  'PATH', 'TMPDIR', 'SYSTEMROOT', 'http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'no_proxy', 'NO_PROXY',
  'SSL_CERT_FILE', 'SSL_CERT_DIR', 'CURL_CA_BUNDLE', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH',
]; // prettier-ignore

/** Harmless faults that old repositories are full of; all else that git's fsck finds is refused. */
const OLD_FAULTS = [
  'zeroPaddedFilemode',
  'missingSpaceBeforeDate',
  'missingEmail',
  'missingNameBeforeEmail',
  'missingSpaceBeforeEmail',
  'badTimezone',
  'badDate',
  'badDateOverflow',
  'zeroPaddedDate',
  'nullSha1',
  'emptyName',
  'missingTaggerEntry',
  'badTagName',
];

/** These win over the configuration of every repository, the local ones that are read through upload-pack included. */
const CONFIG: Record<string, string> = {
  'core.hooksPath': devNull,
  'core.fsmonitor': 'false',
  'core.sshCommand': 'false',
  'core.askPass': '',
  'core.attributesFile': devNull,
  'core.excludesFile': devNull,
  'core.protectHFS': 'true',
  'core.protectNTFS': 'true',
  'core.symlinks': 'true',
  'core.autocrlf': 'false',
  'core.fsync': 'none',
  'credential.helper': '',
  'credential.interactive': 'false',
  'protocol.version': '2',
  'protocol.allow': 'never',
  'submodule.recurse': 'false',
  'fetch.recurseSubmodules': 'false',
  'fetch.fsckObjects': 'true',
  'transfer.fsckObjects': 'true',
  'transfer.bundleURI': 'false',
  'transfer.credentialsInUrl': 'die',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'http.followRedirects': 'initial',
  'http.emptyAuth': 'false',
  'http.lowSpeedLimit': '500',
  'http.lowSpeedTime': '30',
  'advice.detachedHead': 'false',
  ...Object.fromEntries(OLD_FAULTS.map((fault) => [`fetch.fsck.${fault}`, 'ignore'])),
};

export interface EnvironmentOptions {
  /** Folder of the adapter; an empty folder in it is git's home, so that no .netrc and no .gitconfig is found. */
  directory: string;
  gitDir?: string;
  config?: Record<string, string>;
  env?: Record<string, string>;
}

/** The whole environment of a git process. Unless `env` says otherwise it may reach nothing at all. */
export function gitEnvironment({ directory, gitDir, config, env }: EnvironmentOptions): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return {
    ...Object.fromEntries(passed),
    HOME: join(directory, 'home'),
    XDG_CONFIG_HOME: join(directory, 'home'),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: devNull,
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_ALLOW_PROTOCOL: '',
    GIT_SSH_COMMAND: 'false',
    ...(gitDir && { GIT_DIR: gitDir }),
    ...configVariables({ ...CONFIG, ...config }),
    ...env,
  };
}

function configVariables(config: Record<string, string>): Record<string, string> {
  const entries = Object.entries(config);
  const variables: Record<string, string> = { GIT_CONFIG_COUNT: String(entries.length) };
  entries.forEach(([key, value], i) => {
    variables[`GIT_CONFIG_KEY_${i}`] = key;
    variables[`GIT_CONFIG_VALUE_${i}`] = value;
  });
  return variables;
}
