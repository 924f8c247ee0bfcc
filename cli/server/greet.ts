// What `tidemill server` shows: the first start step by step, later what is live, and then what happens.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import type { RunningServer } from '../../functions/one-machine/start.ts';
import { dataPaths } from '../../shared/host/machine/data-folder.ts';
import type { Cli } from '../cli.ts';
import { type Client, createClient } from '../client/client.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Following } from '../follow.ts';
import { outcomeText } from '../outcome.ts';
import { wrap } from '../terminal/format.ts';
import { addSource, buildExample, showRun } from './first-run.ts';
import { happenings } from './happenings.ts';
import type { Stop } from './stop.ts';
import { heading, type Place, portTaken, whatIsLive, whatNext } from './texts.ts';

const SHOWN = 50;

/** Resolves when `stop` is asked for. Throws CliError where nothing can come of the first start. */
export async function greet(cli: Cli, server: RunningServer, place: Place, wanted: { port: number; source: string | undefined }, stop: Stop): Promise<void> {
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
