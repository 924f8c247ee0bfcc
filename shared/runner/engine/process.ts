// One process of a step, in a process group of its own: recorded before it does anything, read line by line, and ended with all it started.
import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for a line on descriptor 3 before it becomes the command: by then the process is recorded. End of file: whoever started it is gone. */
const GATE = 'read -r TIDEMILL_GATE <&3 || exit 1; exec 3<&-; exec "$@"';

/** The same, with the descriptor left open for the command to read on. */
const GATE_WITH_DESCRIPTOR = 'read -r TIDEMILL_GATE <&3 || exit 1; exec "$@"';

/** Output may be held open by what escaped the process group; then it is let go. Milliseconds. */
const PIPE_GRACE = 250;

export interface ProcessRecord {
  pid: number;
  /** When the kernel started it, in its own ticks; absent where /proc is. Tells a process from a later one of the same number. */
  startTime?: string;
  /** Name of a container to remove, where the process only stands for one. */
  container?: string;
}

export interface Launch {
  file: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  container?: string;
  /** What the command can read from descriptor 3. */
  descriptor?: string;
}

export interface Output {
  stdout(chunk: Buffer): Promise<void> | void;
  stderr(chunk: Buffer): Promise<void> | void;
}

export interface Running {
  pid: number;
  /** Exit code; -1 when a signal ended it. Resolves when the output has been read and the process group has ended. */
  exited: Promise<number>;
  signal(name: NodeJS.Signals): void;
}

/** Why a command could not be started at all. */
export class CannotStart extends Error {
  override name = 'CannotStart';
  /** As a container that cannot be started shows it. */
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Throws CannotStart. `record` must have written down the process when it returns. */
export async function start(launch: Launch, record: (process: ProcessRecord) => void, output: Output): Promise<Running> {
  const child = spawn('/bin/sh', ['-c', launch.descriptor === undefined ? GATE : GATE_WITH_DESCRIPTOR, 'sh', launch.file, ...launch.args], {
    cwd: launch.cwd,
    env: launch.env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new CannotStart(`${launch.file} cannot be started in ${launch.cwd}: ${error.message}`)));
  });
  const pid = child.pid!;
  const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
  const startTime = processStartTime(pid);
  record({ pid, ...(startTime && { startTime }), ...(launch.container && { container: launch.container }) });
  const reading = Promise.all([drain(child.stdout!, output.stdout), drain(child.stderr!, output.stderr)]);
  const gate = child.stdio[3] as Writable;
  gate.on('error', () => undefined); // the process went before the gate opened: its exit code tells
  gate.end(`go\n${launch.descriptor ?? ''}`);
  const signal = (name: NodeJS.Signals) => signalGroup(pid, name);
  const exited = ended.then(async (code) => {
    signal('SIGKILL');
    const done = await Promise.race([reading.then(() => true), sleep(PIPE_GRACE, false)]);
    if (!done) for (const stream of [child.stdout!, child.stderr!]) stream.destroy();
    await reading;
    return code;
  });
  return { pid, exited, signal };
}

async function drain(stream: Readable, take: (chunk: Buffer) => Promise<void> | void): Promise<void> {
  try {
    for await (const chunk of stream) await take(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

/** Nothing there any more is what was wanted. */
export function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

/** Field 22 of /proc/PID/stat (proc(5)); undefined where there is none. */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined; // no such process, or no /proc on this system
  }
}

/** The first of these paths that can be executed; undefined: none. */
export async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const can = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (can) return path;
  }
  return undefined;
}
