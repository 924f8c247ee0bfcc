// What a run of a Task looks like on a terminal, wherever it runs: its lines as they come, and at the end what failed, or what it left.
import { type TaskRunStatus, isDone, succeeded } from '../../shared/objects/taskrun.ts';
import { type LogLine, RUNNER_STEP } from '../../shared/ports/runner.ts';
import type { Cli } from '../cli.ts';
import { duration } from '../terminal/format.ts';
import { plain } from '../terminal/io.ts';

/** Lines of a failed step that are shown again. */
const LAST_LINES = 10;

export interface View {
  line(line: Omit<LogLine, 'seq'>): void;
  end(status: TaskRunStatus): void;
}

/** `asJson`: stdout is for the TaskRun alone. */
export function createView(cli: Cli, asJson: boolean): View {
  const last = new Map<string, string[]>();
  const began = Date.now();
  return {
    line({ step, stream, text }) {
      const lines = last.get(step) ?? [];
      last.set(step, [...lines.slice(1 - LAST_LINES), text]);
      const own = step === RUNNER_STEP;
      const style = asJson || own ? cli.noteStyle : cli.style;
      const out = asJson || own ? cli.io.stderr : cli.io.stdout;
      const shown = out.isTTY ? plain(text) : text;
      out.write(own ? `${style.dim(shown)}\n` : `${style.cyan(`[${step}]`)} ${stream === 'stderr' ? style.yellow(shown) : shown}\n`);
    },
    end(status) {
      const style = cli.noteStyle;
      const condition = succeeded(status);
      for (const { name = '', terminated, terminationReason } of status.steps ?? []) {
        if (!terminated || terminated.exitCode === 0 || terminationReason === 'Skipped' || terminationReason === 'Continued') continue;
        cli.note(
          `\n${style.red(`Step ${name} ended with exit code ${terminated.exitCode}`)} (${terminationReason ?? terminated.reason ?? 'Error'}); its last lines:`,
        );
        for (const text of last.get(name) ?? ['(it printed nothing)']) cli.note(`  ${cli.io.stderr.isTTY ? plain(text) : text}`);
      }
      if (!asJson)
        for (const { name, value } of status.results ?? [])
          cli.note(`${style.bold(name)} = ${plain(typeof value === 'string' ? value : JSON.stringify(value))}`);
      const took = duration(Date.now() - began);
      if (isDone(status) && condition?.status === 'True') cli.note(style.green(`Succeeded in ${took}`));
      else cli.note(`${style.red(condition?.reason ?? 'Failed')} after ${took}: ${plain(condition?.message ?? '')}`);
    },
  };
}
