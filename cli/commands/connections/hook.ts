// tidemill hook: tells other programs of what happens.
import type { Command } from 'commander';
import type { Cli, Define } from '../../cli.ts';
import { ago, table } from '../../terminal/format.ts';
import { plain } from '../../terminal/io.ts';

export const define: Define = (program, cli) => {
  const hook = program
    .command('hook')
    .summary('tell other programs of what happens')
    .description('Hooks: addresses that get a signed POST of every event that they ask for.')
    .helpCommand(false)
    .addHelpText(
      'before',
      'Examples:\n  tidemill hook add https://chat.example.org/in --project docs --type "dev.tidemill.release.*"\n  tidemill hook list\n  tidemill hook test hook-4k2m9x7q1c\n',
    );
  addHook(hook, cli);
  listHooks(hook, cli);
  hook
    .command('test')
    .description('Sends one event that means nothing.')
    .argument('<hook>')
    .action(async (name: string) => {
      const sent = await (await cli.client()).testHook(name);
      cli.answer(sent, `A test event is on its way to ${name}. \`tidemill hook list\` shows what came of it.`);
    });
  hook
    .command('remove')
    .description('Tells it nothing more.')
    .argument('<hook>')
    .action(async (name: string) => {
      await (await cli.client()).removeHook(name);
      cli.answer({ removed: name }, `Removed ${name}.`);
    });
};

function addHook(hook: Command, cli: Cli): void {
  hook
    .command('add')
    .description('Adds an address and shows, this once, the secret that its deliveries are signed with.')
    .argument('<url>')
    .option('--name <name>', 'default: one is made')
    .option('--project <project>', 'only events of this project')
    .option('--type <pattern>', 'only events of this type, "*" for any characters; may be repeated', (word: string, all?: string[]) => [...(all ?? []), word])
    .action(async (url: string, { name, project, type }: { name?: string; project?: string; type?: string[] }) => {
      const added = await (await cli.client()).addHook({ url, ...(name && { name }), ...(project && { project }), ...(type && { types: type }) });
      cli.answer(
        added,
        () => `Added ${added.name}. Its signing secret (Standard Webhooks), shown only now:\n\n  ${added.secret}\n\nTry it: tidemill hook test ${added.name}`,
      );
    });
}

function listHooks(hook: Command, cli: Cli): void {
  hook
    .command('list')
    .description('Lists hooks with their last delivery.')
    .option('--project <project>', 'only those of this project')
    .action(async ({ project }: { project?: string }) => {
      const found = await (await cli.client()).hooks({ project });
      cli.answer(found, () => {
        if (found.items.length === 0) return 'No hooks. Add one: tidemill hook add <url>';
        const rows = found.items.map(({ name, url, project: of, paused, deliveries }) => {
          const last = deliveries[0];
          const came = last
            ? `${last.outcome}${last.status === undefined ? '' : ` ${last.status}`}, ${ago(last.at)}${last.reason ? `: ${plain(last.reason)}` : ''}`
            : 'nothing sent yet';
          return [name, of ?? 'all', url, paused ? 'paused' : came];
        });
        return table([['HOOK', 'PROJECT', 'URL', 'LAST DELIVERY'], ...rows], (cell, row) => (row === 0 ? cli.style.dim(cell) : cell));
      });
    });
}
