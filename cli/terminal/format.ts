// How times, sizes and tables look.

/** 480 ms, 1.2 s, 1 min 05 s, 2 h 03 min. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} min`;
}

/** "just now", "5 min ago", "3 h ago", "2 days ago". */
export function ago(time: string, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 10) return 'just now';
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

/** 512 B, 1.5 KB, 20 MB: powers of 1000. */
export function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  let value = size;
  for (const unit of ['KB', 'MB', 'GB', 'TB']) {
    value /= 1000;
    if (value < 999.5 || unit === 'TB') return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  }
  return `${size} B`;
}

export function shortSha(sha: string | undefined): string {
  return sha ? sha.slice(0, 7) : '';
}

/** refs/heads/main → main. */
export function shortRef(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, '');
}

/** Lines of at most so many characters, broken between words. */
export function wrap(text: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

/** `count` of a thing, with its plural. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Columns aligned, two spaces apart, no trailing space. `paint` colours a whole cell after its width is known. */
export function table(rows: readonly (readonly string[])[], paint: (cell: string, row: number, column: number) => string = (cell) => cell): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  const line = (row: readonly string[], index: number) =>
    row
      .map((cell, column) => paint(cell, index, column) + ' '.repeat(column === row.length - 1 ? 0 : (widths[column] ?? 0) - cell.length + 2))
      .join('')
      .trimEnd();
  return rows.map((row, index) => `${line(row, index)}\n`).join('');
}

/** Names, with their namespaces where the things stand in more than one. */
export function titles(items: readonly { namespace: string }[]): (item: { namespace: string; name: string }) => string {
  const isSpread = new Set(items.map(({ namespace }) => namespace)).size > 1;
  return ({ namespace, name }) => (isSpread ? `${namespace}/${name}` : name);
}
