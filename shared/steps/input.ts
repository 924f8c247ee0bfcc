// A step's input: its first argument, as JSON, checked.
import { join } from 'node:path';
import type { z } from 'zod';
import type { BuiltinContext } from '../runner/builtin.ts';

/** Throws an error that names the field. */
export function parseInput<T>(step: string, schema: z.ZodType<T>, { args }: BuiltinContext): T {
  const checked = schema.safeParse(parseJson(step, args[0]));
  if (checked.success) return checked.data;
  const issues = checked.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`);
  throw new Error(`The step "${step}" was given an input that it cannot use: ${issues.join('; ')}`);
}

/** Folder of the workspace that the commit's files stand in. */
export function sourceFolder(step: string, { workspaces }: BuiltinContext, below = ''): string {
  const folder = workspaces['source'];
  if (folder === undefined) throw new Error(`The step "${step}" needs a workspace named "source"; declare it in the task`);
  return join(folder, below);
}

function parseJson(step: string, text: string | undefined): unknown {
  if (text === undefined) throw new Error(`The step "${step}" needs its input, as JSON, as its second argument`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The step "${step}" was given an input that is not JSON: ${(error as Error).message}`, { cause: error });
  }
}
