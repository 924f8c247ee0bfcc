// tidemill rollback: makes an earlier version live again.
import type { Define } from '../cli.ts';
import { tellRelease } from '../release.ts';

export const define: Define = (program, cli) => {
  program
    .command('rollback')
    .summary('make an earlier version live again')
    .description('Makes the version that was live before live again, or the one that is named. Nothing is rebuilt: a pointer moves.')
    .argument('<project>')
    .argument('[version]', 'one that was live before; default: the last one before what is live')
    .addHelpText('before', 'Examples:\n  tidemill rollback docs\n  tidemill rollback docs v1.3.2\n')
    .option('--environment <name>', 'default: production')
    .action(async (project: string, version: string | undefined, options: { environment?: string }) => {
      const client = await cli.client();
      tellRelease(cli, project, await client.rollback(project, { ...(version !== undefined && { version }), ...options }));
    });
};
