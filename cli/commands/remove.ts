// tidemill remove: takes a project and its site away.
import type { Define } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { ask } from '../terminal/prompt.ts';

export const define: Define = (program, cli) => {
  program
    .command('remove')
    .summary('take a project and its site away')
    .description('Ends what runs of a project, takes its sites off the air and forgets it. The built files stay in the store.')
    .argument('<project>')
    .addHelpText('before', 'Examples:\n  tidemill remove docs\n  tidemill remove docs --yes     without being asked\n')
    .option('--yes', 'do not ask')
    .action(async (name: string, options: { yes?: true }) => {
      const client = await cli.client();
      const project = await client.project(name);
      if (!options.yes) {
        if (!cli.io.stdin.isTTY) throw new CliError(EXIT.usage, `Nobody is there to ask. To take ${name} away all the same, add --yes.`);
        const answer = await ask(cli.io, `Take ${project.url} off the air and forget ${name}? Type its name: `);
        if (answer !== name) throw new CliError(EXIT.refused, 'Nothing was done.');
      }
      const gone = await client.removeProject(name);
      cli.answer(gone, `Removed ${name}. ${gone.kept}`);
    });
};
