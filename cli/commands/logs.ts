// tidemill logs: what a build said, or says.
import type { ExecutionLogLine } from '../../functions/api/executions/execution-logs.ts';
import type { Cli, Define } from '../cli.ts';
import type { Client } from '../client/client.ts';
import { CliError, EXIT } from '../exit.ts';
import { plain, plainLines, writeFully } from '../terminal/io.ts';

/** A connection that was lost is taken up again where it ended, so often in a row. */
const RETRIES = 5;
const RETRY_MS = 500;

export const define: Define = (program, cli) => {
  program
    .command('logs')
    .summary('what a build said')
    .description('Prints what the steps of an execution said; of a project: of its newest execution.')
    .argument('<execution|project>')
    .addHelpText(
      'before',
      'Examples:\n  tidemill logs docs               the newest build of docs\n  tidemill logs -f docs            and go on until it has ended\n  tidemill logs docs-4k2m9x7q1c --step build\n',
    )
    .option('-f, --follow', 'go on until the execution has ended')
    .option('--step <name>', 'only this step, as step or stage/step')
    .action(async (what: string, options: { follow?: true; step?: string }) => {
      const client = await cli.client();
      const execution = await executionOf(client, what);
      const interrupted = options.follow ? cli.interruption() : new AbortController().signal;
      await print(cli, client, execution, options, interrupted);
      if (interrupted.aborted) cli.exitCode = EXIT.interrupted;
      else if (!cli.json()) await tellEnd(cli, client, execution, options.follow === true);
    });
};

/** The word as an execution, else as a project with at least one. */
async function executionOf(client: Client, what: string): Promise<string> {
  try {
    return (await client.execution(what)).name;
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== EXIT.refused) throw error;
  }
  const project = await client.project(what).catch((error: unknown) => {
    throw error instanceof CliError && error.code === EXIT.refused
      ? new CliError(EXIT.refused, `There is neither an execution nor a project "${what}".`)
      : error;
  });
  if (!project.lastExecution) throw new CliError(EXIT.refused, `Project ${what} has not been built yet. \`tidemill trigger ${what}\` builds it.`);
  return project.lastExecution.name;
}

async function print(cli: Cli, client: Client, execution: string, options: { follow?: true; step?: string }, signal: AbortSignal): Promise<void> {
  const seen = new Map<string, number>();
  let shown = '';
  for (let failures = 0; ;) {
    try {
      const after = [...seen].map(([taskRun, seq]) => `${taskRun}:${seq}`).join(',') || undefined;
      for await (const line of client.logs(execution, { ...(options.follow && { follow: 1 as const }), step: options.step, after }, signal)) {
        seen.set(line.taskRun, line.seq);
        failures = 0;
        shown = await write(cli, line, shown);
      }
      return;
    } catch (error) {
      if (!options.follow || !(error instanceof CliError) || error.code !== EXIT.unreachable || ++failures > RETRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * failures));
    }
  }
}

/** A heading whenever another step speaks; the step that spoke is given back. */
async function write(cli: Cli, line: ExecutionLogLine, before: string): Promise<string> {
  if (cli.json()) {
    await writeFully(cli.io.stdout, `${JSON.stringify(line)}\n`);
    return before;
  }
  const name = line.stage === line.step ? line.step : `${line.stage}/${line.step}`;
  const speaker = `${name} · ${line.taskStep}`;
  if (speaker !== before) cli.note(cli.noteStyle.dim(`── ${plain(speaker)}`));
  await writeFully(cli.io.stdout, `${cli.io.stdout.isTTY ? safeColours(line.text) : line.text}\n`);
  return speaker;
}

/** Colours stay; whatever else could steer the terminal goes. */
function safeColours(text: string): string {
  return text
    .split(/(\u001B\[[0-9;]*m)/)
    .map((part, index) => (index % 2 === 1 ? part : plain(part)))
    .join('');
}

/** Many a reason (a version that is taken, a timeout) stands in no step's log. Who did not wait for the end is told of a bad one only. */
async function tellEnd(cli: Cli, client: Client, execution: string, followed: boolean): Promise<void> {
  const { phase, message } = await client.execution(execution);
  const bad = phase === 'Failed' || phase === 'Cancelled';
  if (followed && bad) cli.exitCode = EXIT.failed;
  const style = cli.noteStyle;
  if (bad) cli.note(`${style.red(phase)}${message ? `: ${plainLines(message, '  ')}` : ''}`);
  else if (followed) cli.note(phase === 'Succeeded' ? style.green(phase) : phase);
}
