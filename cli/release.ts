// What came of moving a release, said to a person and in the exit code.
import type { ReleaseOutcome } from '../functions/api/releases/releases.ts';
import type { Cli } from './cli.ts';
import { CliError, EXIT } from './exit.ts';
import { plain } from './terminal/io.ts';

/** Throws CliError 4 when it was refused. */
export function tellRelease(cli: Cli, project: string, end: ReleaseOutcome): void {
  const { release, outcome } = end;
  if (outcome === 'refused') {
    if (cli.json()) cli.answer(end, '');
    throw new CliError(EXIT.refused, `Refused: ${plain(end.reason ?? 'no reason was given')}.`);
  }
  const version = release?.current?.version ?? '';
  const texts = {
    deployed: `${version} is live:`,
    rolledback: `Back to ${version}, live:`,
    unchanged: `${version} was live already:`,
    pending: `Asked for, and nothing has come of it yet. \`tidemill status ${project}\` will show it.`,
  };
  cli.answer(end, () => `${texts[outcome]}${release ? ` ${cli.style.bold(release.url)}` : ''}`);
}
