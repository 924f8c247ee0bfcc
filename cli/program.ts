// The command line: reads the words, loads the one command that is meant, and turns what is thrown into an exit code.
import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { type Cli, createCli } from './cli.ts';
import { ASKING, commands } from './commands.ts';
import { CliError, EXIT, EXIT_HELP } from './exit.ts';
import { type Io, processIo } from './terminal/io.ts';

const EXAMPLES = `Examples:
  tidemill server                          build and serve the example, then wait for more
  tidemill add docs ~/code/docs            build and serve a repository of yours
  tidemill add docs https://github.com/you/docs.git --branch main
  tidemill status docs                     what is live, and what happened last
  tidemill logs -f docs                    follow the newest build
  tidemill rollback docs                   go back to the version before
`;

/** Runs the command of these words and resolves with its exit code; never throws. */
export async function runProgram(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const program = createProgram(io);
  const cli = createCli(program, io);
  try {
    await addCommands(program, cli, argv);
    await program.parseAsync([...argv], { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    return report(error, cli);
  }
}

function createProgram(io: Io): Command {
  return new Command('tidemill')
    .usage('<command> [options]')
    .addHelpText('before', `${EXAMPLES}\n`)
    .addHelpText('after', `\n${EXIT_HELP}\n\nHelp on one command: tidemill <command> --help`)
    .option('--data <dir>', 'folder of the server, where its address and token are (default: the nearest .tidemill)')
    .option('--server <url>', 'address of the server; its token comes from TIDEMILL_TOKEN or --token-file')
    .option('--token-file <file>', 'file that holds the token')
    .option('--json', 'answer as JSON')
    .version(manifest.version, '--version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(io.stdout.columns ?? 100, 120) })
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: (text) => void io.stderr.write(text) })
    .showSuggestionAfterError(true)
    .exitOverride();
}

/** The command that is meant in full; of the others only what the list in the help shows. */
async function addCommands(program: Command, cli: Cli, argv: readonly string[]): Promise<void> {
  const meant = argv.find((word) => Object.hasOwn(commands, word));
  // The others have an option of that name, which means another.
  if (meant === undefined || ASKING.has(commands[meant]!.group))
    program.option('--namespace <name>', 'of the projects meant, where a cluster has them in several (default: wherever the name is found)');
  for (const [name, entry] of Object.entries(commands)) {
    program.commandsGroup(`${entry.group}:`);
    if (name === meant) (await entry.load())(program, cli);
    else program.command(name).summary(entry.summary).description(entry.summary);
  }
}

function report(error: unknown, cli: Cli): number {
  const { noteStyle: style } = cli;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CliError) {
    if (error.message) cli.note(`${style.red('error')}  ${error.message.replaceAll('\n', '\n       ')}`);
    return error.code;
  }
  cli.note(`${style.red('error')}  ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return EXIT.serverError;
}
