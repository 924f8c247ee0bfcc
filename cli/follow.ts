// Waits for a run and for what comes of it, showing each step; the same for every command that starts one.
import type { ExecutionView } from '../functions/api/executions/execution-view.ts';
import type { ProjectView } from '../functions/api/projects/project-view.ts';
import type { ReleaseView } from '../functions/api/releases/release-view.ts';
import { autoRelease } from '../shared/decisions/execution.ts';
import { environmentOf } from '../shared/decisions/names.ts';
import type { Cli } from './cli.ts';
import type { Client } from './client/client.ts';
import { createProgress, type Line, linesOf, type Progress } from './terminal/progress.ts';

export interface Followed {
  execution: ExecutionView;
  /** Where what was built is live now. */
  release?: ReleaseView;
  /** Why it is not, where it was built and not released. */
  notReleased?: string;
}

/** "interrupted": the person stopped waiting, and the run goes on. "nothing": no run came of what was asked for. */
export type Following = Followed | 'interrupted' | 'nothing';

/** A release that has not come so long after its build is not waited for any more. */
const RELEASE_WAIT_MS = 20_000;
/** The same for a run that was asked for. */
const RUN_WAIT_MS = 30_000;

/** Follows on stderr until the run has ended, or Ctrl-C. */
export async function follow(cli: Cli, client: Client, project: ProjectView, execution?: string): Promise<Following> {
  const progress = createProgress(cli.io.stderr, cli.noteStyle);
  try {
    return await followRun(client, { project, ...(execution !== undefined && { execution }), progress, signal: cli.interruption() });
  } finally {
    progress.end();
  }
}

interface Run {
  project: ProjectView;
  /** Absent: the first one that the project has, now or soon. */
  execution?: string;
  progress: Progress;
  /** Shown above the steps of the run. */
  before?: readonly Line[];
  signal: AbortSignal;
}

export async function followRun(client: Client, { project, execution, progress, before = [], signal }: Run): Promise<Following> {
  const patience = new AbortController();
  const giveUpIn = (ms: number) => setTimeout(() => patience.abort(), ms);
  let timer = giveUpIn(RUN_WAIT_MS);
  let run: ExecutionView | undefined;
  const releases = new Map<string, ReleaseView>();
  try {
    for await (const change of client.within(project.namespace).watchProject(project.name, AbortSignal.any([signal, patience.signal]), execution)) {
      if (change.kind === 'Release') releases.set(change.object.environment, change.object);
      else if (!run || run.name === change.object.name) run = change.object;
      if (!run) continue;
      clearTimeout(timer);
      const released = releasedAs(project, run, releases);
      progress.show([...before, ...linesOf(run), ...releaseLine(run, released)]);
      if (!isTerminal(run)) continue;
      if (released !== 'pending') return { execution: run, ...released };
      timer = giveUpIn(RELEASE_WAIT_MS);
    }
  } finally {
    clearTimeout(timer);
  }
  if (signal.aborted) return 'interrupted';
  return run ? { execution: run, notReleased: `the release has not come yet; \`tidemill status ${project.name}\` will show it` } : 'nothing';
}

type Released = { release: ReleaseView } | { notReleased: string } | undefined | 'pending';

/** Undefined: there is nothing to release. */
function releasedAs(project: ProjectView, run: ExecutionView, releases: Map<string, ReleaseView>): Released {
  if (run.phase !== 'Succeeded' || run.artifact === undefined) return undefined;
  const environment = environmentOf(run.ref, project.source.branch ?? project.status?.defaultBranch ?? 'main');
  const rule = autoRelease(project, run.ref, environment);
  if (!rule.release) return { notReleased: rule.reason ?? 'the project does not release by itself' };
  const release = releases.get(environment);
  if (release?.current?.artifact === run.artifact) return { release };
  if (release?.refused && run.ended !== undefined && Date.parse(release.refused.at) >= Date.parse(run.ended)) return { notReleased: release.refused.reason };
  return 'pending';
}

function releaseLine(run: ExecutionView, released: Released): Line[] {
  if (run.phase !== 'Succeeded' || released === undefined) return [];
  const started = run.ended === undefined ? undefined : Date.parse(run.ended);
  if (released === 'pending') return [{ key: 'release', state: 'running', label: 'release', started }];
  if ('notReleased' in released) return [{ key: 'release', state: 'skipped', label: 'release', detail: released.notReleased }];
  const { current } = released.release;
  return [{ key: 'release', state: 'done', label: 'release', detail: current?.version, started, ended: current && Date.parse(current.at) }];
}

function isTerminal(run: ExecutionView): boolean {
  return run.phase === 'Succeeded' || run.phase === 'Failed' || run.phase === 'Cancelled';
}
