// Runs one step of our own as a program: what it is to do stands in its arguments, where it is in its environment.
import { writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Git, GitCredential } from '../ports/git.ts';
import type { Builtin } from '../runner/builtin.ts';
import { createExchange, type Exchange } from './exchange/exchange.ts';
import { STEP_ENV } from './step-environment.ts';

export interface StepProgram {
  /** The step's name, and its input as JSON. */
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** A folder that can be written to, and goes with the pod. */
  temporary: string;
  /** The Git adapter, with a folder of its own. */
  openGit(directory: string, credentials: (name: string) => Promise<GitCredential>): Promise<Git>;
  log(line: string): void;
  signal: AbortSignal;
}

/** The exit code. Throws with a sentence on what went wrong. */
export async function runStep({ args, env, temporary, openGit, log, signal }: StepProgram): Promise<number> {
  const [name = '', ...input] = args;
  const make = STEPS[name];
  if (!make) throw new Error(`There is no step "${name}"; there are ${Object.keys(STEPS).join(' and ')}`);
  const results = pathsOf(env, STEP_ENV.results);
  const workspaces = Object.fromEntries(Object.entries(pathsOf(env, STEP_ENV.workspaces)).filter(([, path]) => path !== ''));
  const exchange = createExchange({ url: wanted(env, STEP_ENV.bytesUrl), tokenFile: wanted(env, STEP_ENV.tokenFile), signal });
  const step = await make({ exchange, temporary, openGit, signal });
  return step({
    args: input,
    workspaces,
    workingDir: workspaces['source'] ?? temporary,
    result: async (result, value) => {
      const path = results[result];
      if (!path) throw new Error(`The step "${name}" has the result "${result}", which the Task does not declare`);
      await writeFile(path, value);
    },
    log,
    signal,
  });
}

type Make = (given: Pick<StepProgram, 'temporary' | 'openGit' | 'signal'> & { exchange: Exchange }) => Promise<Builtin>;

/** Each loads what it needs, and nothing of the other. */
const STEPS: Readonly<Record<string, Make | undefined>> = {
  source: async ({ exchange, temporary, openGit }) => {
    const [git, { sourceStep }] = await Promise.all([openGit(join(temporary, 'git'), exchange.credential), import('./source.ts')]);
    return sourceStep(git);
  },
  output: async ({ exchange, temporary, signal }) => {
    const [{ createExchangeStorage }, { outputStep }] = await Promise.all([import('./exchange/storage.ts'), import('./output.ts')]);
    return outputStep(createExchangeStorage({ exchange, directory: join(temporary, 'spool'), signal }));
  },
};

function pathsOf(env: StepProgram['env'], name: string): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(wanted(env, name));
  } catch (error) {
    throw new Error(`${name} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const isPath = (path: unknown) => typeof path === 'string' && (path === '' || isAbsolute(path));
  if (typeof value !== 'object' || value === null || !Object.values(value).every(isPath)) throw new Error(`${name} has to be a JSON object of absolute paths`);
  return value as Record<string, string>;
}

function wanted(env: StepProgram['env'], name: string): string {
  const value = env[name];
  if (!value) throw new Error(`${name} is not set: this program runs as a step of a TaskRun that tidemill started`);
  return value;
}
