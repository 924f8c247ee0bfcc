// tidemill task run: a Tekton Task or TaskRun as it stands in a file, run here with no server and no cluster, or by a cluster's Tekton.
import type { Command } from 'commander';
import type { Cli, Define } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import type { TaskRunWords } from '../task-run/file.ts';

const EXAMPLES = `Examples:
  tidemill task run task.yaml                          with the defaults of its params
  tidemill task run task.yaml -p version=1.2 -p targets=linux,mac -w source=.
  tidemill task run pipeline.yaml --name lint          the file has several
  tidemill task run task.yaml -o json > taskrun.json   the TaskRun with its status in Tekton's own form; logs on stderr
  cat task.yaml | tidemill task run -
  tidemill task run task.yaml --runner tekton          by the Tekton of the cluster that kubectl talks to
`;

const AFTER = `
The file may hold what the run refers to as further documents: Tasks, StepActions, ConfigMaps, Secrets and PersistentVolumeClaims.
Steps run in containers of their images where podman or docker works, else in bubblewrap, else as plain processes of this machine;
TIDEMILL_ISOLATION=podman|docker|bubblewrap|none or --isolation decides.
With --runner tekton the run and what it refers to are put into a namespace of the cluster and, with --keep or not, shown in the same way;
without --keep all of it is taken away again at the end. What the namespace has already, in the same words, is used and left alone.

Exit codes:
  0  succeeded
  1  failed
  2  the file or the command was not understood; the message has the line
  3  with --runner tekton: there is no cluster, or it lacks something
  130  interrupted: what ran was ended and cleaned up
`;

const collect = (word: string, before: string[] | undefined) => [...(before ?? []), word];

export const define: Define = (program, cli) => {
  const task = program
    .command('task')
    .summary('run Tekton Tasks without a cluster')
    .description('Tekton Tasks on this machine, without a server and without a cluster.')
    .helpCommand(false);
  defineRun(task, cli);
};

function defineRun(task: Command, cli: Cli): void {
  task
    .command('run')
    .summary('run a Task or TaskRun as it stands in a file')
    .description('Runs a Task or TaskRun (tekton.dev/v1) as it stands in a file.')
    .argument('<file>', 'YAML or JSON; - for stdin')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', AFTER)
    .option('-p, --param <name=value>', 'value of a param; arrays as a,b or JSON, objects as k:v,l:w or JSON', collect)
    .option('-w, --workspace <name=dir>', 'folder that stands for a workspace; name= for an empty one', collect)
    .option('-o, --output <format>', 'json: print the TaskRun, and send logs to stderr')
    .option('--name <name>', 'which Task or TaskRun of the file')
    .option('--isolation <kind>', 'podman, docker, bubblewrap or none')
    .option('--runner <kind>', 'local (default), or tekton: on a cluster')
    .option('--namespace <name>', "with --runner tekton: where; default: the file's, else kubectl's")
    .option('--keep', 'with --runner tekton: leave the TaskRun, and what it needed, in the cluster')
    .action(async (file: string, words: TaskRunWords) => {
      if (words.runner !== undefined && words.runner !== 'local' && words.runner !== 'tekton')
        throw new CliError(EXIT.usage, `--runner knows local and tekton, not ${JSON.stringify(words.runner)}`);
      if (words.output !== undefined && words.output !== 'json') throw new CliError(EXIT.usage, `-o knows json, not ${JSON.stringify(words.output)}`);
      const { runFile } = await import('../task-run/run-file.ts');
      cli.exitCode = await runFile(cli, file, words);
    });
}
