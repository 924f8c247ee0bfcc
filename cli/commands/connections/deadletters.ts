// tidemill deadletters: events that were given up, and giving them another chance.
import type { Define } from '../../cli.ts';
import { ago } from '../../terminal/format.ts';
import { plain } from '../../terminal/io.ts';

export const define: Define = (program, cli) => {
  const letters = program
    .command('deadletters')
    .summary('events that were given up')
    .description('Events that a function refused, or failed at too often; nothing is lost, and each can be tried again.')
    .helpCommand(false)
    .addHelpText('before', 'Examples:\n  tidemill deadletters list\n  tidemill deadletters redrive 17\n');
  letters
    .command('list')
    .description('Lists them, oldest first.')
    .option('--limit <n>', 'so many at most', '50')
    .action(async ({ limit }: { limit: string }) => {
      const found = await (await cli.client()).deadLetters({ limit });
      cli.answer(found, () => {
        if (found.items.length === 0) return 'No dead letters.';
        return found.items
          .map(
            ({ id, subscription, attempts, reason, at, event }) =>
              `${cli.style.bold(id)}  ${subscription}  ${typeOf(event)}  ${ago(at)}, attempt ${attempts}\n  ${plain(reason)}\n`,
          )
          .join('');
      });
    });
  letters
    .command('redrive')
    .description('Delivers one again, from attempt 1.')
    .argument('<id>')
    .action(async (id: string) => {
      const again = await (await cli.client()).redrive(id);
      cli.answer(again, `${id} is delivered again.`);
    });
};

function typeOf(event: unknown): string {
  const type = typeof event === 'object' && event !== null && 'type' in event ? event.type : undefined;
  return typeof type === 'string' ? plain(type) : 'not an event';
}
