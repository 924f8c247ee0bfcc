// What the running server says of what happens: one line for each build that ended badly and each version that went live.
import type { ExecutionView } from '../../functions/api/executions/execution-view.ts';
import type { ReleaseView } from '../../functions/api/releases/release-view.ts';
import type { Change } from '../../functions/api/executions/watch.ts';
import { duration, shortRef, shortSha } from '../terminal/format.ts';
import { plain, plainLines, type Style } from '../terminal/io.ts';

/** Executions whose beginning is remembered, to say how long it took until they were live. */
const REMEMBERED = 1000;

export async function* happenings(changes: AsyncIterable<Change>, style: Style): AsyncGenerator<string> {
  const builds = new Map<string, ExecutionView>();
  const said = new Set<string>();
  for await (const { type, kind, object } of changes) {
    if (type === 'DELETED') continue;
    if (kind === 'Execution') {
      if (object.artifact !== undefined) remember(builds, object.artifact, object);
      if (isBad(object) && !said.has(object.name)) yield badLine(object, style);
      if (isBad(object)) said.add(object.name);
    } else if (object.current && !said.has(keyOf(object))) {
      said.add(keyOf(object));
      yield liveLine(object, builds.get(object.current.artifact), style);
    }
    for (const old of said) if (said.size > REMEMBERED) said.delete(old);
  }
}

function remember(builds: Map<string, ExecutionView>, artifact: string, execution: ExecutionView): void {
  builds.set(artifact, execution);
  for (const old of builds.keys()) if (builds.size > REMEMBERED) builds.delete(old);
}

function isBad({ phase }: ExecutionView): boolean {
  return phase === 'Failed' || phase === 'Cancelled';
}

function keyOf({ host, current }: ReleaseView): string {
  return `${host} ${current?.at}`;
}

function badLine({ project, phase, ref, sha, message, name, ended }: ExecutionView, style: Style): string {
  const what = [project, shortRef(ref), shortSha(sha)].filter(Boolean).join(' ');
  return `${clock(ended, style)} ${style.red('✗')} ${what}  ${phase.toLowerCase()}${message ? `: ${plainLines(message, '         ')}` : ''}\n         ${style.dim(`npx tidemill logs ${name}`)}\n`;
}

function liveLine({ current, url }: ReleaseView, build: ExecutionView | undefined, style: Style): string {
  const took = current && build && !current.rollback ? `  ${duration(Date.parse(current.at) - Date.parse(build.createdAt))}` : '';
  const what = current?.rollback ? `back to ${current.version}` : (current?.version ?? '');
  const subject = build?.subject ? style.dim(`  ${plain(build.subject).slice(0, 60)}`) : '';
  return `${clock(current?.at, style)} ${style.green('✓')} ${style.cyan(url)}  ${what}${took}${subject}\n`;
}

function clock(at: string | undefined, style: Style): string {
  return style.dim((at === undefined ? new Date() : new Date(at)).toTimeString().slice(0, 8));
}
