// What tidemill task run does: reads the file, runs what is in it here or on a cluster, and shows it.
import { type TaskRunStatus, succeeded } from '../../shared/objects/taskrun.ts';
import { InvalidRequest } from '../../shared/runner/file/choose.ts';
import { InvalidFile, parseDocuments } from '../../shared/runner/file/documents.ts';
import type { Cli } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { type TaskRunWords, read } from './file.ts';
import { createView } from './view.ts';

/** What came of a run. */
export interface Finished {
  /** In Tekton's own form, for -o json. */
  taskRun: object;
  status: TaskRunStatus;
  interrupted: boolean;
}

/** Resolves with the exit code. Throws CliError. */
export async function runFile(cli: Cli, file: string, words: TaskRunWords): Promise<number> {
  const asJson = words.output === 'json' || cli.json();
  const text = await read(cli, file);
  const view = createView(cli, asJson);
  const { taskRun, status, interrupted } = await asUsage(async () => {
    const name = file === '-' ? 'stdin' : file;
    const manifests = parseDocuments(text, name);
    if (words.runner === 'tekton') return (await import('./cluster/run.ts')).runOnCluster(cli, manifests, name, words, view);
    return (await import('./local.ts')).runHere(cli, manifests, name, words, view);
  });
  if (asJson) cli.io.stdout.write(`${JSON.stringify(taskRun, undefined, 2)}\n`);
  view.end(status);
  if (interrupted) return EXIT.interrupted;
  return succeeded(status)?.status === 'True' ? EXIT.ok : EXIT.failed;
}

/** What is wrong with the file or the words is the user's to correct. */
async function asUsage<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof InvalidFile || error instanceof InvalidRequest) throw new CliError(EXIT.usage, error.message);
    throw error;
  }
}
