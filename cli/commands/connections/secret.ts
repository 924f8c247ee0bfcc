// tidemill secret: values that are used and never read back. They come from stdin or a prompt, never from the arguments.
import type { Define } from '../../cli.ts';
import { readSecret } from '../../terminal/prompt.ts';

export const define: Define = (program, cli) => {
  const secret = program
    .command('secret')
    .summary('values that builds use, and nobody reads back')
    .description(
      'Secrets are written, replaced and removed, and never shown. The value is typed when asked for, or piped in. A step of .tidemill.yaml has it as `env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: npm-token, key: value}}}]`; where the value is a JSON object of strings, its keys are the keys.',
    )
    .helpCommand(false)
    .addHelpText(
      'before',
      'Examples:\n  tidemill secret set npm-token < token.txt\n  tidemill secret set npm-token            asks for it, without showing it\n  tidemill secret remove npm-token\n',
    );
  secret
    .command('set')
    .description('Writes or replaces a secret.')
    .argument('<name>')
    .action(async (name: string) => {
      const client = await cli.client();
      await client.setSecret(name, await readSecret(cli.io, `Value of ${name}: `));
      cli.answer({ set: name }, `Set ${name}.`);
    });
  secret
    .command('remove')
    .description('Removes a secret.')
    .argument('<name>')
    .action(async (name: string) => {
      await (await cli.client()).removeSecret(name);
      cli.answer({ removed: name }, `Removed ${name}.`);
    });
};
