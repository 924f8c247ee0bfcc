// tidemill rerun: builds the commit of an earlier execution again.
import type { Define } from '../cli.ts';
import { follow } from '../follow.ts';
import { tellOutcome } from '../outcome.ts';

export const define: Define = (program, cli) => {
  program
    .command('rerun')
    .summary('build the same commit again')
    .description('Builds the commit of an earlier execution again, and shows how it goes.')
    .argument('<execution>', 'as `tidemill status <project>` shows it')
    .addHelpText('before', 'Examples:\n  tidemill rerun docs-4k2m9x7q1c\n  tidemill rerun docs-4k2m9x7q1c --no-wait\n')
    .option('--no-wait', 'do not wait for it; print its name')
    .action(async (execution: string, options: { wait: boolean }) => {
      const client = await cli.client();
      const requested = await client.rerun(execution);
      if (!options.wait) return cli.answer(requested, requested.execution);
      const project = await client.within(requested.namespace).project(requested.project);
      tellOutcome(cli, await follow(cli, client, project, requested.execution), requested.execution);
    });
};
