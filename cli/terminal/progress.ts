// A run as it goes: one line for each step with its time; drawn anew on a terminal, told once each where it is none.
import type { ExecutionView } from '../../functions/api/executions/execution-view.ts';
import { duration, shortRef, shortSha } from './format.ts';
import { type Output, plain, type Style } from './io.ts';

export type LineState = 'waiting' | 'running' | 'done' | 'failed' | 'skipped';

export interface Line {
  key: string;
  state: LineState;
  label: string;
  detail?: string | undefined;
  /** Milliseconds since 1970. */
  started?: number | undefined;
  ended?: number | undefined;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
const LABEL_WIDTH = 16;
const TIME_WIDTH = 10;

export interface Progress {
  /** All lines as they are now. */
  show(lines: readonly Line[]): void;
  /** Draws a last time and leaves the cursor below. */
  end(): void;
}

export function createProgress(output: Output, style: Style): Progress {
  return output.isTTY ? live(output, style) : told(output, style);
}

/** The steps of a run, from finding the commit to its last step. */
export function linesOf(execution: ExecutionView): Line[] {
  const lines = [sourceLine(execution)];
  if (execution.phase === 'Queued' && !execution.started)
    lines.push({ key: 'queue', state: 'running', label: 'queue', detail: 'waits for its turn', started: Date.parse(execution.createdAt) });
  for (const stage of execution.stages ?? []) {
    for (const step of stage.steps) {
      const label = stage.name === step.name ? step.name : `${stage.name}/${step.name}`;
      lines.push({
        key: `${stage.name}/${step.name}`,
        state: STATES[step.phase],
        label,
        detail: step.message,
        started: time(step.started),
        ended: time(step.ended),
      });
    }
  }
  return lines;
}

const STATES = { Waiting: 'waiting', Running: 'running', Succeeded: 'done', Failed: 'failed', Skipped: 'skipped', Cancelled: 'skipped' } as const;

function sourceLine(execution: ExecutionView): Line {
  const { sha, phase, ref, subject, stages } = execution;
  const resolved = sha !== undefined && stages !== undefined;
  const failed = !resolved && phase === 'Failed';
  const started = Date.parse(execution.createdAt);
  const first = time(execution.started) ?? time(execution.ended);
  const state: LineState = resolved ? 'done' : failed ? 'failed' : phase === 'Cancelled' ? 'skipped' : 'running';
  const said = [shortRef(/^[0-9a-f]{40,64}$/.test(ref) ? '' : ref), shortSha(sha), subject].filter(Boolean).join('  ');
  return { key: 'source', state, label: 'source', detail: failed ? execution.message : said, started, ...(resolved && phase !== 'Queued' && { ended: first }) };
}

function time(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

function live(output: Output, style: Style): Progress {
  let lines: readonly Line[] = [];
  let drawn = 0;
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    const width = Math.max(40, output.columns ?? 100);
    const texts = lines.map((line) => `\u001B[2K${render(line, style, width, FRAMES[frame % FRAMES.length] ?? '')}\n`);
    output.write((drawn > 0 ? `\u001B[${drawn}A` : '') + texts.join(''));
    drawn = lines.length;
    frame++;
  };
  return {
    show: (now) => {
      // A line that went away would leave what was drawn below it.
      lines = now.length < drawn ? [...now, ...lines.slice(now.length)] : now;
      draw();
      timer ??= setInterval(draw, FRAME_MS);
    },
    end: () => {
      clearInterval(timer);
      timer = undefined;
      if (lines.length > 0) draw();
    },
  };
}

function told(output: Output, style: Style): Progress {
  const last = new Map<string, LineState>();
  return {
    show: (lines) => {
      for (const line of lines) {
        if (last.get(line.key) === line.state || line.state === 'waiting' || line.state === 'running') continue;
        last.set(line.key, line.state);
        output.write(`${render(line, style, 1000, '')}\n`);
      }
    },
    end: () => undefined,
  };
}

function render(line: Line, style: Style, width: number, frame: string): string {
  const marks = { waiting: style.dim('·'), running: style.cyan(frame), done: style.green('✓'), failed: style.red('✗'), skipped: style.dim('-') };
  const label = plain(line.label).padEnd(LABEL_WIDTH);
  const took = line.started === undefined || line.state === 'waiting' || line.state === 'skipped' ? '' : duration((line.ended ?? Date.now()) - line.started);
  const room = width - LABEL_WIDTH - TIME_WIDTH - 7;
  const detail = cut(plain((line.detail ?? '').split('\n', 1)[0]!), room);
  const shownLabel = line.state === 'waiting' || line.state === 'skipped' ? style.dim(label) : label;
  return `  ${marks[line.state]} ${shownLabel} ${took.padStart(TIME_WIDTH)}  ${line.state === 'failed' ? style.red(detail) : style.dim(detail)}`.trimEnd();
}

function cut(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1))}…`;
}
