// Runs the git command: no shell, bounded in time, output and number at once, its whole process group ended with it.
import { type ChildProcess, spawn } from 'node:child_process';
import { GitError } from '../ports/git.ts';

export interface RunOptions {
  env: Record<string, string>;
  /** Default: the root, which no repository's relative path means anything in. */
  cwd?: string;
  input?: string;
  timeout_ms: number;
  /** More than this on stdout ends it. Default 64 MiB. */
  maxOutput?: number;
  signal?: AbortSignal | undefined;
  /** Looked at once a second; a sentence ends it with that as the reason. */
  watch?: (() => Promise<string | undefined>) | undefined;
}

export interface RunResult {
  code: number;
  stdout: Buffer;
  stderr: string;
}

const MAX_OUTPUT = 64 * 1024 * 1024;
const MAX_STDERR = 64 * 1024;
const GRACE_MS = 2000;
const WATCH_MS = 1000;

const living = new Set<ChildProcess>();
let willClean = false;

/** Starts git in a process group of its own, which ends when this process exits. Stdin, stdout and stderr are pipes. */
export function spawnGit(args: readonly string[], env: Record<string, string>, cwd = '/') {
  const child = spawn('git', args, { env, cwd, stdio: ['pipe', 'pipe', 'pipe'], detached: true, windowsHide: true });
  living.add(child);
  child.once('close', () => living.delete(child));
  child.once('error', () => living.delete(child));
  child.stdin.on('error', () => {}); // It may end before it has read everything; its exit code says so.
  if (!willClean) {
    willClean = true;
    process.once('exit', () => living.forEach((left) => endGroup(left, 'SIGKILL')));
  }
  return child;
}

export function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Runs git to its end, whatever its exit code. Throws GitError when it cannot be started or breaks a bound, and the signal's reason when
 * aborted; in each case no process of it is left.
 */
export async function runGit(args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { signal, timeout_ms, maxOutput = MAX_OUTPUT, watch } = options;
  signal?.throwIfAborted();
  const child = spawnGit(args, options.env, options.cwd);
  let broken: Error | undefined;
  let killer: NodeJS.Timeout | undefined;
  const end = (error: Error) => {
    broken ??= error;
    endGroup(child, 'SIGTERM');
    killer ??= setTimeout(() => endGroup(child, 'SIGKILL'), GRACE_MS);
  };
  const onAbort = () => end(signal!.reason as Error);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => end(new GitError('unreachable', `git ${args[0]} took longer than ${timeout_ms / 1000} s and was ended`)), timeout_ms);
  const look = async () => {
    const reason = await watch!();
    if (reason) end(new GitError('refused', reason));
  };
  const watcher = watch && setInterval(() => void look().catch(end), WATCH_MS);
  const tooMuch = () => end(new GitError('refused', `git ${args[0]} answered with more than ${maxOutput} bytes; this repository is too large to be read here`));
  try {
    child.stdin.end(options.input);
    const result = await collect(child, maxOutput, tooMuch);
    if (broken) throw broken;
    return result;
  } finally {
    clearTimeout(timer);
    clearTimeout(killer);
    clearInterval(watcher);
    signal?.removeEventListener('abort', onAbort);
  }
}

async function collect(child: ReturnType<typeof spawnGit>, maxOutput: number, tooMuch: () => void): Promise<RunResult> {
  const stdout: Buffer[] = [];
  let size = 0;
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxOutput) stdout.push(chunk);
    else tooMuch();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < MAX_STDERR) stderr += chunk.toString('utf8');
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', (error) => reject(cannotStart(error)));
  child.once('close', (code) => resolve(code ?? 128));
  const code = await promise;
  return { code, stdout: Buffer.concat(stdout), stderr };
}

export function cannotStart(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error;
  return new GitError('refused', 'The git command was not found; install git 2.31 or newer and see that it is in PATH');
}

/** At most `limit` tasks at once; the others wait in order. */
export function createLimit(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
