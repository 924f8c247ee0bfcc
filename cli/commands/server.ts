// tidemill server: everything on this machine, in one process. What `npm start` runs.
// Whatever is not needed for the port to answer is imported after it does.
import { join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { DATA_FOLDER, dataPaths } from '../../shared/host/machine/data-folder.ts';
import type { Cli, Define } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { listenForStop } from '../server/stop.ts';
import type { Place } from '../server/texts.ts';
import { sourceUrl } from '../source.ts';

/** T, I, D, E on the keys of a telephone. */
const DEFAULT_PORT = 8433;
const GRACE_MS = 10_000;

export const define: Define = (program, cli) => {
  program
    .command('server')
    .summary('run everything on this machine')
    .description('Runs everything on this machine, in one process and on one port of loopback. The first start builds and serves the example site.')
    .argument('[source]', 'repository to build and serve: a path, or its address')
    .addHelpText('before', 'Examples:\n  tidemill server\n  tidemill server ~/code/docs\n  tidemill server --port 9000 --data /srv/tidemill\n')
    .option('--port <n>', 'port; a free one where it is taken, and with 0 any', String(DEFAULT_PORT))
    .action(async (source: string | undefined, options: { port: string }) => {
      const port = Number(options.port);
      if (!/^\d{1,5}$/.test(options.port) || port > 65_535) throw new CliError(EXIT.usage, '--port wants a number from 0 to 65535');
      // npm runs us in the package's folder; what the person typed is meant from theirs.
      const typedIn = cli.io.env['npm_lifecycle_event'] === 'start' ? (cli.io.env['INIT_CWD'] ?? cli.io.cwd) : cli.io.cwd;
      await serve(cli, {
        data: resolve(cli.io.cwd, cli.options().data ?? DATA_FOLDER),
        port,
        source: source === undefined ? undefined : sourceUrl(source, typedIn),
      });
    });
};

async function serve(cli: Cli, wanted: { data: string; port: number; source: string | undefined }): Promise<void> {
  const stop = listenForStop(() => process.exit(EXIT.interrupted));
  growYoungHeap(false);
  const [{ startServer }, { createLog }] = await Promise.all([import('../../functions/one-machine/start.ts'), import('../../shared/host/log/log.ts')]);
  const secret = cli.io.env['TIDEMILL_WEBHOOK_SECRET'] || undefined;
  const log = createLog(join(wanted.data, 'server.log'));
  const server = await startServer({ data: wanted.data, port: wanted.port, log, ...(secret !== undefined && { webhookSecret: secret }) }).catch(
    async (error: unknown) => {
      log.error({ err: error }, 'the server could not start');
      await log.flush();
      throw new CliError(EXIT.failed, `The server cannot start: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    },
  );
  const place: Place = {
    url: server.url,
    port: server.port,
    data: wanted.data,
    cwd: cli.io.cwd,
    secretFile: secret === undefined ? dataPaths(wanted.data).webhookSecret : undefined,
  };
  try {
    const { greet } = await import('../server/greet.ts');
    growYoungHeap(true);
    await greet(cli, server, place, wanted, stop);
    await stop.requested;
  } finally {
    if (!cli.json()) cli.io.stdout.write('\nStopping: what is in hand is finished, and what runs goes on at the next start.\n');
    await server.close(GRACE_MS);
    await log.flush();
    await stop.lingered();
  }
}

/**
 * What a start leaves behind is garbage at once, so the heap for young objects need not grow for it: 10 MB that an idle
 * server would keep. Under load it has to. V8 looks at this flag whenever it might grow.
 */
function growYoungHeap(grow: boolean): void {
  setFlagsFromString(`--semi-space-growth-factor=${grow ? 2 : 1}`);
}
