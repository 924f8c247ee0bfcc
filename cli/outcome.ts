// The end of a command that followed a run: where it is to be seen, or why not and what to look at.
import type { Cli } from './cli.ts';
import { CliError, EXIT } from './exit.ts';
import type { Followed, Following } from './follow.ts';
import { duration } from './terminal/format.ts';
import { plain, plainLines, type Style } from './terminal/io.ts';

/** Says what came of the run and sets the exit code. Throws CliError when nothing did. */
export function tellOutcome(cli: Cli, followed: Following, name: string): void {
  if (followed === 'nothing') throw new CliError(EXIT.failed, `No build has begun of it. \`tidemill deadletters list\` shows what was given up, and why.`);
  if (followed === 'interrupted') {
    cli.note(`\nIt goes on without you: tidemill logs -f ${name}`);
    cli.exitCode = EXIT.interrupted;
    return;
  }
  if (followed.execution.phase !== 'Succeeded') cli.exitCode = EXIT.failed;
  cli.answer(followed, () => outcomeText(followed, cli.style));
}

export function outcomeText({ execution, release, notReleased }: Followed, style: Style): string {
  if (execution.phase !== 'Succeeded') return failed(execution, style);
  if (release) return `\n${style.bold(release.url)}\n`;
  const took = duration(Date.parse(execution.ended ?? execution.createdAt) - Date.parse(execution.createdAt));
  return `\nBuilt in ${took}${notReleased === undefined ? '' : `, not live: ${plain(notReleased)}`}\n`;
}

function failed(execution: Followed['execution'], style: Style): string {
  const what = execution.phase === 'Cancelled' ? 'was cancelled' : 'failed';
  const why = execution.message ? `: ${plainLines(execution.message, '  ')}` : '';
  return `\n${style.red(`The build ${what}`)}${why}\n\n  tidemill logs ${execution.name}     what it said\n  tidemill rerun ${execution.name}    the same commit again\n`;
}
