// The watcher: the one process of a cluster that is always there. One of several leads, by a Lease, and has all duties; it decides nothing, it only rings.
import type { TidemillEvent } from '../../shared/events/event.ts';
import type { Archive } from '../../shared/host/archive.ts';
import type { Log } from '../../shared/host/contract.ts';
import type { Unfit } from '../../shared/kubernetes/objects/objects.ts';
import { kinds, type Obj } from '../../shared/objects/kinds.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import type { Git } from '../../shared/ports/git.ts';
import type { Objects, Ref } from '../../shared/ports/objects.ts';
import type { Secrets } from '../../shared/ports/secrets.ts';
import { doDuties } from './all-duties.ts';
import type { SayUnfit } from './changes/unfit.ts';
import { bells, type Duties, type Times, TIMES } from './deps.ts';
import { type Agenda, createAgenda } from './follow/agenda.ts';
import { createRecent } from './follow/recent.ts';
import { createFinished, type Finished, type Limits } from './history/finished.ts';
import { PER_TIME, retire } from './history/retire.ts';
import { createElection, type ElectionOptions, type LeaseStore } from './lease/election.ts';
import { createRecorder, type NoteSink, type Recorder } from './notes/recorder.ts';
import { type Periodic, repeat } from './rings/periodic.ts';

export interface WatcherOptions {
  objects: Objects;
  /** Durable, or a doorbell, when it resolves. */
  broker: Broker;
  git: Pick<Git, 'heads'>;
  /** Secrets of hooks that the API made go with their project. */
  secrets: Pick<Secrets, 'delete'>;
  /** Shared by all candidates. */
  lease: LeaseStore;
  /** Unique among them, such as the pod's name. */
  identity: string;
  /** dev.tekton.event.taskrun.{successful,failed}.v1 with a derived id; undefined while the TaskRun goes on. */
  taskRunEnd: (taskRun: Obj<'TaskRun'>) => TidemillEvent | undefined;
  /** Where notes on objects go. Absent: nowhere. */
  notes?: NoteSink | undefined;
  /** Says on an object that it does not fit its schema: see `unfit`. */
  sayUnfit?: SayUnfit | undefined;
  /** Done again and again by the leader: inboxes, the delay queue. */
  periodic?: readonly Periodic[];
  /** Goes on for as long as this watcher leads, and is begun again when it fails: following the logs of TaskRuns. */
  lasting?: readonly { name: string; run: (signal: AbortSignal) => Promise<void> }[];
  /** Where finished executions are archived. Absent: they stay. `isLogged`: whether all lines of a TaskRun are kept elsewhere than in its pod. */
  archive?: { archive: Archive; isLogged: (taskRun: Ref) => Promise<boolean>; limits?: Partial<Limits>; every_ms?: number } | undefined;
  /** Looks at repositories; a new one for each time that this watcher leads. */
  polling?: () => { start(): void; stop(): Promise<void> };
  now: () => string;
  log: Log;
  times?: Partial<Times> | undefined;
  election?: Pick<ElectionOptions, 'duration_ms' | 'deadline_ms' | 'retry_ms'> | undefined;
}

export interface Watcher {
  start(): void;
  /** Ends its duties, waits for what is in hand at most so long, and gives the Lease back. */
  stop(grace_ms: number): Promise<void>;
  leads(): boolean;
  /** For `onUnfit` of the objects: the leader says so on the object. */
  unfit(unfit: Unfit): void;
  /** Undefined: ready. Else why not: the Lease cannot be reached, or this one leads and has not seen everything yet. */
  notReady(): string | undefined;
}

/** Without a word from the API server for so long something is wrong with this one. */
const SILENCE_MS = 60_000;
const LASTING_RETRY_MS = 1000;
const REMEMBERED = 10_000;
const ARCHIVE_MS = 30_000;
const LIMITS: Limits = { keep_ms: 86_400_000, most: 2000 };

export function createWatcher(options: WatcherOptions): Watcher {
  const { lease, identity, now, log } = options;
  const election = createElection({ lease, identity, now, log, ...options.election });
  let seenAll = false;
  let reign: { agenda: Agenda; recorder: Recorder } | undefined;

  async function lead(signal: AbortSignal): Promise<void> {
    seenAll = false;
    const agenda = createAgenda(log, signal);
    const recorder = createRecorder(options.notes ?? (() => Promise.resolve()), now, log);
    reign = { agenda, recorder };
    const polling = options.polling?.();
    polling?.start();
    const finished = createFinished();
    const repeated = [
      ...archiving(options, finished, () => seenAll),
      ...(options.periodic ?? []),
      ...(options.lasting ?? []).map((each) => ({ ...each, every_ms: LASTING_RETRY_MS })),
    ];
    try {
      await Promise.all([
        doDuties(dutiesOf(options, recorder.note), agenda, finished, signal, () => (seenAll = true)),
        ...repeated.map((each) => repeat(each, signal, log)),
      ]);
    } finally {
      reign = undefined;
      await Promise.all([agenda.stop(), polling?.stop(), recorder.idle()]);
    }
  }

  return {
    start: () => election.start(lead),
    stop: (grace_ms) => election.stop(grace_ms),
    leads: election.leads,
    unfit: (unfit) => {
      const { kind, ref, uid, resourceVersion, generation, message } = unfit;
      if (!reign) return;
      const object = { apiVersion: kinds[kind].apiVersion, kind, metadata: { ...ref, uid, resourceVersion, generation, creationTimestamp: now() }, spec: {} };
      // Named by its generation: the same fault is said once.
      reign.recorder.note(object, { type: 'Warning', reason: 'Invalid', message, at: now() }, `${uid} ${generation} ${message}`);
      if (options.sayUnfit) reign.agenda.put(`unfit ${kind} ${ref.namespace}/${ref.name}`, 0, () => options.sayUnfit!(unfit).then(() => undefined));
    },
    notReady: () => {
      const silent_ms = election.lastContact_ms();
      if (silent_ms === undefined) return 'the lease has not been read yet';
      if (silent_ms > SILENCE_MS) return `the lease could not be read for ${Math.round(silent_ms / 1000)} s`;
      return election.leads() && !seenAll ? 'leads, and has not seen all objects yet' : undefined;
    },
  };
}

/** Only once all executions are known: before, the oldest of those that are would not be the oldest. */
function archiving({ objects, archive, now, log }: WatcherOptions, finished: Finished, isKnown: () => boolean): Periodic[] {
  if (!archive) return [];
  const limits = { ...LIMITS, ...archive.limits };
  const run = async (signal: AbortSignal) => {
    let more = isKnown();
    while (more && !signal.aborted) more = (await retire({ objects, finished, now, log, ...archive, limits }, signal)) >= PER_TIME;
  };
  return [{ name: 'archive', every_ms: archive.every_ms ?? ARCHIVE_MS, run }];
}

function dutiesOf({ objects, broker, git, secrets, taskRunEnd, now, log, times }: WatcherOptions, note: Duties['note']): Duties {
  return { objects, broker, git, secrets, taskRunEnd, note, now, log, times: { ...TIMES, ...times }, written: createRecent(REMEMBERED), ...bells(broker, now) };
}
