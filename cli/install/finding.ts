// What a check found: one line for people, and what to do where something is wrong.
import type { Style } from '../terminal/io.ts';

export interface Finding {
  /** What was looked at. */
  check: string;
  /** note: worth knowing, and no fault. */
  state: 'ok' | 'wrong' | 'note';
  said: string;
  /** What to do about it, or what to type. */
  todo?: string;
}

export const ok = (check: string, said: string): Finding => ({ check, state: 'ok', said });
export const note = (check: string, said: string, todo?: string): Finding => ({ check, state: 'note', said, ...(todo !== undefined && { todo }) });
export const wrong = (check: string, said: string, todo: string): Finding => ({ check, state: 'wrong', said, todo });

export function findingText({ check, state, said, todo }: Finding, style: Style): string {
  const mark = { ok: style.green('✓'), wrong: style.red('✗'), note: style.yellow('·') }[state];
  const lines = `${mark} ${check.padEnd(20)} ${said.replaceAll('\n', ' ')}`;
  return todo === undefined ? lines : `${lines}\n${todo.replaceAll(/^/gm, '      ')}`;
}

/** A check that could not be made is a finding of its own. */
export async function looked(check: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [
      wrong(check, `cannot be looked at: ${(error as Error).message}`, 'See that you may read it, and that the API server answers: kubectl auth can-i --list'),
    ];
  }
}
