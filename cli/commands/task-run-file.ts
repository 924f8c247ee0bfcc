// What tidemill task run does: reads the file, runs it on the engine, shows it, and leaves nothing behind.
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TaskRunStatus, isDone, succeeded } from '../../shared/objects/taskrun.ts';
import type { LogLine } from '../../shared/ports/runner.ts';
import { type Ending, RUNNER_STEP } from '../../shared/runner/engine/engine.ts';
import { runTaskRun } from '../../shared/runner/engine/run.ts';
import { FILE_LIMIT, InvalidFile, parseDocuments } from '../../shared/runner/file/documents.ts';
import { InvalidRequest } from '../../shared/runner/file/choose.ts';
import { type Plan, planRun } from '../../shared/runner/file/plan.ts';
import { IsolationUnavailable, detectIsolation } from '../../shared/runner/isolation/detect.ts';
import type { Isolation } from '../../shared/runner/isolation/isolation.ts';
import { MARKER, endMarked } from '../../shared/runner/orphans.ts';
import type { Cli } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { duration } from '../terminal/format.ts';
import { plain } from '../terminal/io.ts';
import type { TaskRunWords } from './task-run.ts';

/** From SIGTERM to SIGKILL at Ctrl-C. Milliseconds. */
const GRACE = 5000;

/** Lines of a failed step that are shown again. */
const LAST_LINES = 10;

/** Resolves with the exit code. Throws CliError. */
export async function runFile(cli: Cli, file: string, words: TaskRunWords): Promise<number> {
  const asJson = words.output === 'json' || cli.json();
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-task-'));
  try {
    const text = await read(cli, file);
    const { plan, isolation } = await planned(cli, text, file === '-' ? 'stdin' : file, words, folder);
    const shown = createView(cli, asJson);
    const { status, metadata, interrupted } = await run(cli, plan, isolation, folder, shown.line);
    if (asJson)
      cli.io.stdout.write(`${JSON.stringify({ apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata, spec: specOf(plan), status }, undefined, 2)}\n`);
    shown.end(status);
    if (interrupted) return EXIT.interrupted;
    return succeeded(status)?.status === 'True' ? EXIT.ok : EXIT.failed;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function read(cli: Cli, file: string): Promise<string> {
  if (file === '-') {
    let text = '';
    for await (const chunk of cli.io.stdin.setEncoding('utf8')) {
      text += chunk as string;
      if (text.length > FILE_LIMIT) throw new CliError(EXIT.usage, `stdin has more than ${FILE_LIMIT} characters`);
    }
    return text;
  }
  const path = resolve(cli.io.cwd, file);
  const found = await stat(path).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.usage, code === 'ENOENT' ? `There is no file ${file}` : `${file} cannot be read: ${message}`, { cause: error });
  });
  if (!found.isFile()) throw new CliError(EXIT.usage, `There is no file ${file}`);
  if (found.size > FILE_LIMIT) throw new CliError(EXIT.usage, `${file} has more than ${FILE_LIMIT} bytes`);
  return readFile(path, 'utf8');
}

async function planned(cli: Cli, text: string, file: string, words: TaskRunWords, folder: string): Promise<{ plan: Plan; isolation: Isolation }> {
  try {
    const manifests = parseDocuments(text, file);
    const isolation = await detectIsolation(cli.io.env, words.isolation ?? cli.io.env['TIDEMILL_ISOLATION']);
    const workspaces = await folders(cli, words.workspace ?? []);
    const params = new Map((words.param ?? []).map((word) => pair('-p', word)));
    return { plan: planRun(manifests, file, { ...(words.name !== undefined && { name: words.name }), params, workspaces, isolation, folder }), isolation };
  } catch (error) {
    if (error instanceof InvalidFile || error instanceof InvalidRequest || error instanceof IsolationUnavailable) throw new CliError(EXIT.usage, error.message);
    throw error;
  }
}

function pair(option: string, word: string): [string, string] {
  const at = word.indexOf('=');
  if (at < 1) throw new InvalidRequest(`${option} takes name=value, not ${JSON.stringify(word)}`);
  return [word.slice(0, at), word.slice(at + 1)];
}

async function folders(cli: Cli, words: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const word of words) {
    const [name, folder] = pair('-w', word);
    const path = folder && resolve(cli.io.cwd, folder);
    if (path && !(await stat(path).catch(() => undefined))?.isDirectory()) throw new InvalidRequest(`-w ${name}: there is no folder ${folder}`);
    found.set(name, path);
  }
  return found;
}

interface Outcome {
  status: TaskRunStatus;
  metadata: object;
  interrupted: boolean;
}

async function run(cli: Cli, plan: Plan, isolation: Isolation, folder: string, onLine: (line: Omit<LogLine, 'seq'>) => void): Promise<Outcome> {
  const uid = randomUUID();
  const controller = new AbortController();
  const cancel = () => controller.abort({ kind: 'cancelled', message: 'It was interrupted.' } satisfies Ending);
  const interruption = cli.interruption();
  interruption.addEventListener('abort', cancel, { once: true });
  process.once('SIGTERM', cancel);
  const now = () => new Date().toISOString();
  const { name, namespace, labels, annotations, taskName, task, spec } = plan;
  const metadata = {
    name,
    namespace,
    uid,
    creationTimestamp: now(),
    ...(Object.keys(labels).length && { labels }),
    ...(Object.keys(annotations).length && { annotations }),
  };
  try {
    const status = await runTaskRun(
      { name, namespace, uid, labels, annotations, taskName, task, spec },
      {
        isolation,
        references: plan.references,
        builtins: {},
        folder: join(folder, 'work'),
        given: plan.given,
        env: cli.io.env,
        marker: { name: MARKER, value: uid },
        caches: new Map(),
        grace_ms: GRACE,
        now,
        signal: controller.signal,
        onStatus: () => undefined,
        onLine,
        record: () => undefined,
      },
    );
    return { status, metadata, interrupted: controller.signal.aborted };
  } finally {
    process.off('SIGTERM', cancel);
    if (isolation.kind === 'none') await endMarked(uid);
  }
}

function specOf(plan: Plan): object {
  const { taskSpec: _task, ...spec } = plan.spec as Plan['spec'] & { taskSpec?: unknown };
  return plan.taskName ? { ...spec, taskRef: { kind: 'Task', name: plan.taskName } } : { ...spec, taskSpec: plan.task };
}

/** Lines as they come, and at the end what failed, with its last lines. */
function createView(cli: Cli, asJson: boolean): { line: (line: Omit<LogLine, 'seq'>) => void; end: (status: TaskRunStatus) => void } {
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
