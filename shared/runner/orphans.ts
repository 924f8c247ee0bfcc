// What runs are doing on this machine, written down before it can do harm, so that a runner that comes back can end what a killed one left.
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ProcessRecord, processStartTime, signalGroup } from './engine/process.ts';

/** Set in every process of a run: <id of the runner's folder>/<uid of the TaskRun>. */
export const MARKER = 'LOCAL_RUNNER_PROCESS';

export interface ProcessBook {
  /** Written when it returns. It need not outlive the machine: processes do not either. */
  record(uid: string, process: ProcessRecord): void;
  /** Everything recorded, by TaskRun. */
  all(): Promise<ProcessRecord[]>;
  forget(uid: string): Promise<void>;
}

export function createProcessBook(directory: string): ProcessBook {
  mkdirSync(directory, { recursive: true });
  const pathOf = (uid: string) => join(directory, `${uid.replace(/[^\w-]/g, '_')}.jsonl`);
  return {
    record: (uid, process) => appendFileSync(pathOf(uid), `${JSON.stringify({ ...process, at: new Date().toISOString() })}\n`, { mode: 0o600 }),
    async all() {
      const names = await readdir(directory);
      const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
      return texts.flatMap((text) => text.split('\n').flatMap(parseRecord));
    },
    forget: (uid) => rm(pathOf(uid), { force: true }),
  };
}

function parseRecord(line: string): ProcessRecord[] {
  try {
    return [JSON.parse(line) as ProcessRecord];
  } catch {
    return []; // empty, or cut off by the kill: that process never got past its gate
  }
}

/** Ends recorded processes that are still the same ones, and every process that carries the marker. Returns how many were found. */
export async function endOrphans(records: readonly ProcessRecord[], marker: string, discard: (container: string) => Promise<void>): Promise<number> {
  let found = 0;
  for (const record of records) {
    if (record.container) await discard(record.container);
    if (!isSame(record)) continue;
    signalGroup(record.pid, 'SIGKILL');
    found++;
  }
  return found + (await endMarked(marker));
}

/** A later process of the same number began at another time. */
function isSame({ pid, startTime, at }: ProcessRecord & { at?: string }): boolean {
  if (startTime) return processStartTime(pid) === startTime;
  if (!at) return false;
  try {
    const began = Date.parse(execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } }));
    return Math.abs(began - Date.parse(at)) < 2000;
  } catch {
    return false; // ps found no such process
  }
}

/** Ends every process whose environment has the marker, again and again until there is none: a parent may have begun another in between. */
export async function endMarked(marker: string): Promise<number> {
  let found = 0;
  for (let round = 0; round < 10; round++) {
    const pids = await markedProcesses(marker);
    if (!pids.length) return found;
    found += pids.length;
    for (const { pid, startTime } of pids) if (processStartTime(pid) === startTime) kill(pid);
  }
  return found;
}

async function markedProcesses(marker: string): Promise<{ pid: number; startTime: string }[]> {
  const names = await readdir('/proc').catch(() => []); // no /proc on this system: the records are what there is
  const wanted = Buffer.from(`${MARKER}=${marker}`);
  const found = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(async (name) => {
        const pid = Number(name);
        const environment = await readFile(`/proc/${name}/environ`).catch(() => undefined); // gone, or another user's
        if (!environment?.includes(wanted)) return undefined;
        const startTime = processStartTime(pid);
        return startTime && !(await isDead(name)) ? { pid, startTime } : undefined;
      }),
  );
  return found.filter((process) => process !== undefined);
}

async function isDead(pid: string): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1)) || !stat;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
