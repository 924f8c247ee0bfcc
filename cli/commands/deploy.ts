// tidemill deploy: makes a version live.
import type { Define } from '../cli.ts';
import { tellRelease } from '../release.ts';

export const define: Define = (program, cli) => {
  program
    .command('deploy')
    .summary('make a version live')
    .description('Makes a version that was built live. Nothing is rebuilt: a pointer moves.')
    .argument('<project>')
    .argument('<version>', 'as `tidemill list <project>` shows it; "latest": the newest of the released branch or a tag')
    .addHelpText(
      'before',
      'Examples:\n  tidemill deploy docs latest\n  tidemill deploy docs v1.4.0\n  tidemill deploy docs v1.5.0-rc.1 --environment preview-next\n',
    )
    .option('--environment <name>', 'default: production')
    .action(async (project: string, version: string, options: { environment?: string }) => {
      const client = await cli.client();
      tellRelease(cli, project, await client.deploy(project, { version, ...options }));
    });
};
