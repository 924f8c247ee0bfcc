// Finds out, once and when it is first needed, what can isolate steps here. TIDEMILL_ISOLATION decides where it is set.
import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { firstExecutable } from '../engine/process.ts';
import { bubblewrap } from './bubblewrap.ts';
import { containers } from './container.ts';
import { ISOLATION_KINDS, type Isolation, type IsolationKind } from './isolation.ts';
import { hostPath, plainProcesses } from './plain.ts';

/** An engine that does not answer within this is one that does not work. Milliseconds. */
const PATIENCE = 5000;

export class IsolationUnavailable extends Error {
  override name = 'IsolationUnavailable';
}

/** The kind that is asked for, or the best that works. Throws IsolationUnavailable when the one asked for does not. */
export async function detectIsolation(
  env: NodeJS.ProcessEnv,
  wanted: string | undefined = env['TIDEMILL_ISOLATION'],
  kinds: readonly IsolationKind[] = ISOLATION_KINDS,
): Promise<Isolation> {
  if (wanted) return asked(wanted, env);
  const reasons: string[] = [];
  for (const kind of kinds) {
    const tried = await attempt(kind, env, reasons.join('; '));
    if (typeof tried !== 'string') return tried;
    reasons.push(tried);
  }
  return plainProcesses(reasons.join('; '));
}

async function asked(wanted: string, env: NodeJS.ProcessEnv): Promise<Isolation> {
  const kind = ISOLATION_KINDS.find((each) => each === wanted);
  if (!kind) throw new IsolationUnavailable(`TIDEMILL_ISOLATION is "${wanted}"; it must be one of ${ISOLATION_KINDS.join(', ')}`);
  const tried = await attempt(kind, env, 'asked for by TIDEMILL_ISOLATION=none');
  if (typeof tried !== 'string') return tried;
  throw new IsolationUnavailable(`TIDEMILL_ISOLATION asks for ${kind}, but ${tried}. Install or start it, or unset TIDEMILL_ISOLATION.`);
}

/** The isolation, or why it does not work. */
async function attempt(kind: IsolationKind, env: NodeJS.ProcessEnv, why: string): Promise<Isolation | string> {
  if (kind === 'none') return plainProcesses(why);
  const path = hostPath(env['PATH']);
  const file = await firstExecutable(path.split(delimiter).map((folder) => join(folder, kind === 'bubblewrap' ? 'bwrap' : kind)));
  if (!file) return `${kind} is not installed`;
  const [args, make] =
    kind === 'bubblewrap'
      ? ([
          ['--ro-bind', '/', '/', '--unshare-user-try', '--unshare-pid', '--proc', '/proc', '--dev', '/dev', '/bin/sh', '-c', 'exit 0'],
          () => bubblewrap({ file, path, home: homedir() }),
        ] as const)
      : ([['info'], () => containers(kind, file, env)] as const);
  const failure = await fails(file, [...args], env);
  return failure === undefined ? make() : `${kind} does not work: ${failure}`;
}

function fails(file: string, args: string[], env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, args, { env, timeout: PATIENCE, killSignal: 'SIGKILL', maxBuffer: 1 << 20 }, (error, _stdout, stderr) => {
      if (!error) return resolve(undefined);
      const lines = stderr.trim().split('\n');
      resolve(
        error.killed
          ? `no answer in ${PATIENCE / 1000} s`
          : (lines.findLast((line) => /error|cannot|denied|fail/i.test(line)) ?? lines.at(-1) ?? error.message).trim(),
      );
    });
  });
}
