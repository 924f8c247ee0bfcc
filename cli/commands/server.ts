// tidemill server: everything on this machine, in one process. What `npm start` runs.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import type { RunningServer } from '../../functions/one-machine/start.ts';
import { DATA_FOLDER, dataPaths } from '../../shared/host/data-folder.ts';
import type { Cli, Define } from '../cli.ts';
import { type Client, createClient } from '../client/client.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Following } from '../follow.ts';
import { wrap } from '../terminal/format.ts';
import { outcomeText } from '../outcome.ts';
import { addSource, buildExample, showRun } from '../server/first-run.ts';
import { happenings } from '../server/happenings.ts';
import { listenForStop, type Stop } from '../server/stop.ts';
import { heading, type Place, portTaken, whatIsLive, whatNext } from '../server/texts.ts';
import { sourceUrl } from '../source.ts';

/** T, I, D, E on the keys of a telephone. */
const DEFAULT_PORT = 8433;
const GRACE_MS = 10_000;
const SHOWN = 50;

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
  const [{ startServer }, { createLog }] = await Promise.all([import('../../functions/one-machine/start.ts'), import('../../functions/one-machine/log.ts')]);
  const secret = cli.io.env['TIDEMILL_WEBHOOK_SECRET'] || undefined;
  const log = createLog(join(wanted.data, 'server.log'));
  const server = await startServer({ data: wanted.data, port: wanted.port, log, ...(secret !== undefined && { webhookSecret: secret }) }).catch(
    (error: unknown) => {
      log.error({ err: error }, 'the server could not start');
      log.flush();
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
    await greet(cli, server, place, wanted, stop);
    await stop.requested;
  } finally {
    if (!cli.json()) cli.io.stdout.write('\nStopping: what is in hand is finished, and what runs goes on at the next start.\n');
    await server.close(GRACE_MS);
    log.flush();
    await stop.lingered();
  }
}

async function greet(cli: Cli, server: RunningServer, place: Place, wanted: { port: number; source: string | undefined }, stop: Stop): Promise<void> {
  const client = createClient({ url: server.url, token: server.token, found: place.data });
  if (cli.json()) return void cli.io.stdout.write(`${JSON.stringify({ url: server.url, data: place.data, pid: process.pid })}\n`);
  const { style } = cli;
  const say = (text: string) => void cli.io.stdout.write(text);
  say(heading(manifest.version, place, style));
  if (wanted.port !== 0 && wanted.port !== server.port) say(portTaken(wanted.port, place, style));
  const started = { cli, client, server, signal: stop.signal };
  try {
    if (wanted.source !== undefined) await greetWithSource(started, place, wanted.source);
    else await greetByState(started, place);
  } catch (error) {
    // The server stands; what was to be shown first does not. That is said, and the server goes on.
    if (!(error instanceof CliError) || stop.signal.aborted) throw error;
    say(`\n${style.red(error.message)}\n`);
  }
  if (stop.signal.aborted) return;
  const width = Math.min(cli.io.stdout.columns ?? 100, 100);
  say(`\n${style.dim(wrap(await server.isolation(), width))}\n${style.dim('Ctrl-C stops.')}\n`);
  await tellOn(started);
}

interface Started {
  cli: Cli;
  client: Client;
  server: RunningServer;
  signal: AbortSignal;
}

/** One line for each build that failed and each version that went live, from now on. */
async function tellOn({ cli, client, signal }: Started): Promise<void> {
  try {
    for await (const line of happenings(client.watch(signal), cli.style)) cli.io.stdout.write(line);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    // The server stands all the same; `tidemill status` shows what happens.
    cli.io.stdout.write(`${cli.style.dim('What happens is no longer shown here; `npx tidemill status` shows it.')}\n`);
  }
}

async function greetWithSource(started: Started, place: Place, source: string): Promise<void> {
  const { cli, client } = started;
  const { project, firstBuild } = await addSource(client, source);
  if (!firstBuild) return void cli.io.stdout.write(whatIsLive([project], false, cli.style));
  cli.io.stdout.write(`\n${source} as "${project.name}"\n\n`);
  tell(cli, await showRun(started, project), () => whatNext(place, undefined, cli.style));
}

async function greetByState(started: Started, place: Place): Promise<void> {
  const { cli, client } = started;
  const projects = await client.projects({ limit: SHOWN });
  const welcomed = join(place.data, 'welcomed');
  if (projects.items.length > 0 || existsSync(welcomed))
    return void cli.io.stdout.write(whatIsLive(projects.items, projects.continue !== undefined, cli.style));
  const repository = dataPaths(place.data).example;
  cli.io.stdout.write('\nThe first start: the example site goes through the whole chain.\n\n');
  const followed = await buildExample(started, repository);
  await writeFile(welcomed, '');
  tell(cli, followed, () => whatNext(place, repository, cli.style));
}

function tell(cli: Cli, followed: Following, next: () => string): void {
  if (followed === 'interrupted') return;
  if (followed === 'nothing') throw new CliError(EXIT.failed, 'Nothing came of the push. `npx tidemill deadletters list` shows what was given up, and why.');
  cli.io.stdout.write(`${outcomeText(followed, cli.style)}\n${next()}`);
}
