// The table that a bench run ends with; it is markdown too.
import type { BenchRow } from './row.ts';

const figure = (value: number) => {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
};

export function table(rows: readonly BenchRow[]): string {
  const head = ['bench', 'what', 'ours', 'peer', 'theirs', 'ratio', 'target', ''];
  const cells = rows.map((row) => [
    row.bench,
    row.note ? `${row.what} (${row.note})` : row.what,
    `${figure(row.ours)} ${row.unit}`,
    row.peer,
    `${figure(row.theirs)} ${row.unit}`,
    figure(row.ratio),
    row.target,
    row.ok ? 'ok' : 'MISSED',
  ]);
  const all = [head, ...cells];
  const width = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(width[column] ?? 0)).join(' | ')} |`;
  return [line(head), `| ${width.map((columns) => '-'.repeat(columns)).join(' | ')} |`, ...cells.map(line)].join('\n');
}
