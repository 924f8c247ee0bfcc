// Processor time of processes that this one started: user and system together, in milliseconds.
import { readdirSync, readFileSync } from 'node:fs';

/** Of Linux's USER_HZ, which is the same everywhere. */
const TICK_MS = 10;
const NS_PER_MS = 1e6;

/** What a process that runs has used, on all its threads. */
export function cpuOf(pid: number): number {
  const used = readdirSync(`/proc/${pid}/task`).map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]));
  return used.reduce((sum, one) => sum + one, 0) / NS_PER_MS;
}

/** What all that were waited for have used, in steps of 10 ms: worth something only summed up over many of them. */
export function cpuOfEnded(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // The name of the program comes second, in parentheses, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}
