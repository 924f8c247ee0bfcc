// Every duty of the watcher, by the kind that it is towards.
import { isTerminal } from '../../shared/decisions/execution.ts';
import type { Kind, Obj } from '../../shared/objects/kinds.ts';
import { unresolved } from './changes/artifacts.ts';
import { cancelled } from './changes/executions.ts';
import { labelDuty } from './changes/labels.ts';
import { clearAway } from './changes/project-gone.ts';
import { firstLook, triggered } from './changes/projects.ts';
import { deployed, firstStatus, rolledBack } from './changes/releases.ts';
import { validity } from './changes/validity.ts';
import type { Duties } from './deps.ts';
import type { Agenda } from './follow/agenda.ts';
import { attend, idOf } from './follow/attend.ts';
import type { Duty } from './follow/duty.ts';
import { follow, type Followed } from './follow/follow.ts';
import type { Finished } from './history/finished.ts';
import { notesOf } from './notes/notes.ts';
import { stuckExecutions } from './rings/executions.ts';
import { stuckLanes } from './rings/lanes.ts';
import { outboxes } from './rings/outboxes.ts';
import { endedTaskRuns } from './rings/taskruns.ts';

/** What was deleted half-way while a function was at work is looked for once more. */
const SECOND_SWEEP_MS = 30_000;

/** Follows every kind until the signal. `ready` is called when all that there is has been seen once. */
export async function doDuties(duties: Duties, agenda: Agenda, finished: Finished, signal: AbortSignal, ready: () => void): Promise<void> {
  const { objects, log, times } = duties;
  const projects = createNames();
  const open = createNames();

  const start = <K extends Kind>(kind: K, own: readonly Duty<K>[], also: Partial<Followed<K>> = {}) => {
    const attended = attend(kind, [...own, ...(kind === 'TaskRun' ? [] : [outboxes<K>(duties)])], objects, agenda);
    const synced = Promise.withResolvers<void>();
    const followed: Followed<K> = {
      begins: also.begins,
      changed: (object, first) => {
        also.changed?.(object, first);
        attended.changed(object, first);
        for (const note of notesOf(object)) duties.note(object, note);
      },
      gone: (object) => {
        also.gone?.(object);
        attended.gone(object);
      },
      synced: () => {
        also.synced?.();
        synced.resolve();
      },
    };
    return { ended: follow(objects, kind, followed, signal, log), synced: Promise.race([synced.promise, over(signal)]) };
  };

  const clear = (project: string, wait_ms = 0) => {
    const [namespace, name] = project.split('/') as [string, string];
    let sweeps = 0;
    agenda.put(`gone ${project}`, wait_ms, async () => {
      await clearAway(duties, namespace, name);
      return ++sweeps < 2 ? SECOND_SWEEP_MS : undefined;
    });
  };

  const project = start('Project', [labelDuty(duties), validity(duties), firstLook(duties), triggered(duties)], {
    ...projects.followed(() => true),
    gone: (object) => {
      projects.delete(object);
      clear(idOf(object));
    },
  });
  const execution = start(
    'Execution',
    [cancelled(duties), stuckExecutions(duties)],
    along(
      open.followed(({ status }) => !isTerminal(status)),
      { changed: finished.changed, gone: ({ metadata }) => finished.gone(metadata) },
    ),
  );
  await Promise.all([project.synced, execution.synced]);
  const others = [
    start('Pipeline', [validity(duties)]),
    start('Hook', [labelDuty(duties), validity(duties)]),
    start('Credential', [validity(duties)]),
    start('Artifact', [labelDuty(duties), validity(duties), unresolved(duties)]),
    start('Release', [labelDuty(duties), validity(duties), firstStatus(duties), deployed(duties), rolledBack(duties)]),
    start('Push', []),
    start('Lane', [stuckLanes(duties)], {
      // Lanes are made by functions, for projects that there are: one without its project was left behind when nobody watched.
      changed: ({ metadata, spec }, first) => {
        const of = `${metadata.namespace}/${spec.project}`;
        if (first && !projects.has(of)) clear(of, Math.max(0, Date.parse(metadata.creationTimestamp) + times.orphan_ms - Date.parse(duties.now())));
      },
    }),
    start('TaskRun', [endedTaskRuns(duties, open.has)]),
  ];
  await Promise.all(others.map(({ synced }) => synced));
  if (!signal.aborted) ready();
  await Promise.all([project, execution, ...others].map(({ ended }) => ended));
}

/** Names of objects, as far as a watch tells of them. What went while it was broken off goes with its next beginning. */
function createNames() {
  let names = new Set<string>();
  let before: Set<string> | undefined;
  const has = (name: string) => names.has(name) || (before?.has(name) ?? false);
  return {
    has,
    delete: (object: Obj) => void (names.delete(idOf(object)), before?.delete(idOf(object))),
    followed: <K extends Kind>(keep: (object: Obj<K>) => boolean): Partial<Followed<K>> => ({
      begins: () => {
        before = names;
        names = new Set();
      },
      changed: (object) => {
        if (keep(object)) names.add(idOf(object));
        else {
          names.delete(idOf(object));
          before?.delete(idOf(object));
        }
      },
      gone: (object) => {
        names.delete(idOf(object));
        before?.delete(idOf(object));
      },
      synced: () => (before = undefined),
    }),
  };
}

/** Both are told. */
function along<K extends Kind>(first: Partial<Followed<K>>, second: Pick<Followed<K>, 'changed' | 'gone'>): Partial<Followed<K>> {
  return {
    ...first,
    changed: (object, isFirst) => {
      first.changed?.(object, isFirst);
      second.changed(object, isFirst);
    },
    gone: (object) => {
      first.gone?.(object);
      second.gone(object);
    },
  };
}

function over(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
