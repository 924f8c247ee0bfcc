// The life of a process in a cluster: it listens at once, opens what it needs, works, and on SIGTERM ends what it has in hand.
import process from 'node:process';
import type { Log } from '../../shared/host/contract.ts';
import { createLog } from '../../shared/host/log/log.ts';
import { type Check, type ProcessServer, startProcessServer } from './server.ts';
import { readSettings, type Settings } from './settings.ts';

export interface ProcessContext {
  settings: Settings;
  log: Log;
  now: () => string;
  server: ProcessServer;
  /** To be looked at by GET /readyz?verbose. */
  checks: Record<string, Check>;
}

export interface Running {
  /** Takes nothing more, and lets what is in hand end for so long. */
  stop(grace_ms: number): Promise<void>;
}

/** Less than the pods' terminationGracePeriodSeconds. */
const GRACE_MS = 45_000;
/** Of the grace, for answers that are on their way. */
const SERVER_SHARE = 0.5;

/** Starts, and resolves when it works. What cannot be opened ends the process with a line that says why. */
export async function runProcess(name: string, open: (context: ProcessContext) => Promise<Running>): Promise<void> {
  const log = createLog(1);
  const end = async (code: number) => {
    await log.flush();
    process.exit(code);
  };
  try {
    const settings = readSettings();
    const checks: Record<string, Check> = {};
    const server = await startProcessServer({ port: settings.port, log, checks });
    const now = () => new Date().toISOString();
    const running = await open({ settings, log, now, server, checks });
    let stopping = false;
    const stop = async (signal: string) => {
      if (stopping) return;
      stopping = true;
      const until = Date.now() + GRACE_MS;
      await server.close(GRACE_MS * SERVER_SHARE);
      await running.stop(Math.max(0, until - Date.now()));
      log.info({ function: name, signal }, 'stopped');
      await end(0);
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        stop(signal).catch(async (error: unknown) => {
          log.error({ function: name, error: (error as Error).message }, 'the end went wrong');
          await end(1);
        });
      });
    }
  } catch (error) {
    log.error({ function: name, error: (error as Error).message }, 'this function cannot start');
    await end(1);
  }
}
