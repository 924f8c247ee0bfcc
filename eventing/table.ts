// The graph as tables: what each function takes, does and emits, and for each event type who tells it and who hears it.
import { clockEmits, edges, functions, knownCycles, publicTypes, runnerEmits, type TickEntry, ticks } from '../functions/graph.ts';
import { eventData } from '../shared/events/types.ts';
import { shortName } from './diagram.ts';

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const names = (types: readonly string[]) => types.map((type) => `\`${shortName(type)}\``).join(', ') || '–';
/** `17 * * * *` in UTC; nothing for a function that no clock wakes. */
const at = (name: string) => {
  const all: Readonly<Record<string, TickEntry>> = ticks;
  return all[name] ? ` at \`${all[name].schedule}\`` : '';
};
const folder = (name: string) => `[${name}](../functions/${name}/)`;

/** One row for each function. */
export function functionTable(): string {
  const handlers = Object.entries(functions).map(([name, f]) => [folder(name), names(f.consumes) + at(name), f.does, names(f.emits), f.needs.join(', ')]);
  const http = Object.entries(edges).map(([name, e]) => [folder(name), 'HTTP, or what it watches', e.does, names(e.emits), e.needs.join(', ')]);
  return table(['function', 'takes', 'does', 'emits', 'ports'], [...http, ...handlers]);
}

/** One row for each event type. */
export function eventTable(): string {
  const all: [string, readonly string[]][] = [...Object.entries(edges), ...Object.entries(functions)].map(([name, f]) => [name, f.emits]);
  const emitters: [string, readonly string[]][] = [...all, ['runner', runnerEmits], ['clock', clockEmits]];
  const has = (types: readonly string[], type: string) => types.includes(type);
  const rows = Object.keys(eventData).map((type) => [
    `\`${type}\``,
    emitters.flatMap(([name, emits]) => (has(emits, type) ? [name] : [])).join(', ') || '–',
    Object.entries(functions)
      .flatMap(([name, f]) => (has(f.consumes, type) ? [name] : []))
      .join(', ') || '–',
    has(publicTypes, type) ? 'yes' : '',
  ]);
  return table(['event type', 'told by', 'heard by', 'public'], rows);
}

/** One line for each cycle that is meant. */
export function cycleList(): string {
  return knownCycles.map((cycle) => `- ${cycle.through.join(' → ')}: ${cycle.ends}`).join('\n') || 'There is none.';
}
