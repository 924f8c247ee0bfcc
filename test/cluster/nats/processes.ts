// Processes of one function, as a deployment would run them.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import process from 'node:process';
import { createInterface } from 'node:readline';

export interface Consumer {
  /** In the order in which they were handled. */
  handled: { id: string; attempt: number }[];
  /** Resolves when it ended. */
  ended: Promise<void>;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

export function startConsumer(url: string, prefix: string, ackWait_ms: number): Consumer {
  const script = fileURLToPath(new URL('./consumer.child.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [script, url, prefix, String(ackWait_ms)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const handled: Consumer['handled'] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => handled.push(JSON.parse(line) as Consumer['handled'][number]));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    handled,
    ended,
    kill: async (signal) => {
      child.kill(signal);
      await ended;
    },
  };
}
