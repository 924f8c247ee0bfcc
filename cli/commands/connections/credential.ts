// tidemill credential: how private repositories are read.
import { type Command, Option } from 'commander';
import type { Cli, Define } from '../../cli.ts';
import { ago, table } from '../../terminal/format.ts';
import { readSecret } from '../../terminal/prompt.ts';

interface Options {
  host: string;
  type: 'basic' | 'ssh';
  username?: string;
}

export const define: Define = (program, cli) => {
  const credential = program
    .command('credential')
    .summary('how private repositories are read')
    .description('Credentials: a password, token or private key, and the one host that it is ever sent to.')
    .helpCommand(false)
    .addHelpText(
      'before',
      'Examples:\n  tidemill credential add github --host github.com --username you < token.txt\n  tidemill credential add deploy-key --type ssh --host git.example.org < ~/.ssh/deploy\n  tidemill credential list\n',
    );
  addCredential(credential, cli);
  credential
    .command('list')
    .description('Lists credentials, without what is secret in them.')
    .action(async () => {
      const found = await (await cli.client()).credentials();
      const rows = found.items.map(({ name, type, host, username, createdAt }) => [name, type, host, username ?? '', ago(createdAt)]);
      cli.answer(found, () =>
        rows.length > 0
          ? table([['CREDENTIAL', 'TYPE', 'HOST', 'USER', 'ADDED'], ...rows], (cell, row) => (row === 0 ? cli.style.dim(cell) : cell))
          : 'No credentials. Add one: tidemill credential add <name> --host <host>',
      );
    });
  credential
    .command('remove')
    .description('Removes a credential with its secret.')
    .argument('<name>')
    .action(async (name: string) => {
      await (await cli.client()).removeCredential(name);
      cli.answer({ removed: name }, `Removed ${name}.`);
    });
};

function addCredential(credential: Command, cli: Cli): void {
  credential
    .command('add')
    .description('Adds a credential; its secret part is typed when asked for, or piped in.')
    .argument('<name>')
    .requiredOption('--host <host>', 'the only host that it is sent to')
    .addOption(new Option('--type <type>', 'password or token, or a private key').choices(['basic', 'ssh']).default('basic'))
    .option('--username <name>', 'user name that goes with it')
    .action(async (name: string, { host, type, username }: Options) => {
      const client = await cli.client();
      const value = await readSecret(cli.io, type === 'ssh' ? 'Private key (better piped in): ' : 'Password or token: ');
      const added = await client.addCredential({ name, type, host, ...(username && { username }), value: type === 'ssh' ? `${value}\n` : value });
      cli.answer(added, `Added ${name}. Use it: tidemill add <project> <source> --credential ${name}`);
    });
}
