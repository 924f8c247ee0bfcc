// tidemill cancel: ends a build that waits or runs.
import type { Define } from '../cli.ts';

export const define: Define = (program, cli) => {
  program
    .command('cancel')
    .summary('end a build that waits or runs')
    .description('Ends an execution that waits or runs, with everything that it started.')
    .argument('<execution>', 'as `tidemill status <project>` shows it')
    .addHelpText('before', 'Examples:\n  tidemill cancel docs-4k2m9x7q1c --reason "wrong branch"\n')
    .option('--reason <text>', 'kept with the execution')
    .action(async (execution: string, options: { reason?: string }) => {
      const client = await cli.client();
      const requested = await client.cancel(execution, options.reason);
      cli.answer(requested, `${execution} is being cancelled.`);
    });
};
