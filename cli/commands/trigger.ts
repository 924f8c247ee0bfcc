// tidemill trigger: builds a branch, tag or commit now.
import type { Define } from '../cli.ts';
import { follow } from '../follow.ts';
import { tellOutcome } from '../outcome.ts';

export const define: Define = (program, cli) => {
  program
    .command('trigger')
    .summary('build a branch, tag or commit now')
    .description('Builds a branch, tag or commit now, whether or not anything was pushed, and shows how it goes.')
    .argument('<project>')
    .argument('[ref]', 'branch, tag or full SHA; "latest", or nothing: the head of the branch that is released')
    .addHelpText('before', 'Examples:\n  tidemill trigger docs\n  tidemill trigger docs v1.4.0\n  tidemill trigger docs feature/search --no-wait\n')
    .option('--no-wait', 'do not wait for it; print its name')
    .action(async (name: string, ref: string | undefined, options: { wait: boolean }) => {
      const client = await cli.client();
      const project = await client.project(name);
      const requested = await client.trigger(name, ref === 'latest' ? undefined : ref);
      if (!options.wait) return cli.answer(requested, requested.execution);
      tellOutcome(cli, await follow(cli, client, project, requested.execution), requested.execution);
    });
};
