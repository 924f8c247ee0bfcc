// Who of several candidates leads: one holds the Lease and renews it; the others take it when it was not renewed for long enough.
// Clocks are never compared: a candidate measures, by its own clock, how long it has seen the same record (as client-go does).
import type { Log } from '../../../shared/host/contract.ts';

/** The record of a Lease; the times in it are for people. */
export interface LeaseRecord {
  /** Empty: nobody holds it. */
  holder: string;
  /** Seconds that others wait after they saw it renewed last. */
  duration_s: number;
  /** RFC 3339 with microseconds. */
  acquired: string;
  renewed: string;
  /** How often it changed hands. */
  transitions: number;
}

/** A Lease as it was read: written again only if nobody wrote in between. */
export interface HeldRecord extends LeaseRecord {
  version: string;
}

export interface LeaseStore {
  /** Undefined: there is none yet. */
  read(signal: AbortSignal): Promise<HeldRecord | undefined>;
  /** Creates it where `version` is absent. Undefined: somebody else was faster. */
  write(record: LeaseRecord, version: string | undefined, signal: AbortSignal): Promise<HeldRecord | undefined>;
}

export interface ElectionOptions {
  lease: LeaseStore;
  /** Unique among the candidates, such as the pod's name. */
  identity: string;
  now: () => string;
  log: Log;
  /** Others may take it so long after the last renewal that they saw. Default 15 s. */
  duration_ms?: number | undefined;
  /** A leader that could not renew it for so long leads no more; well below the duration. Default 10 s. */
  deadline_ms?: number | undefined;
  /** Between two tries. Default 2 s. */
  retry_ms?: number | undefined;
}

export interface Election {
  /** Takes part until stop(). `lead` is called whenever this candidate becomes the leader; its signal ends with that, and it is waited for before the next term. */
  start(lead: (signal: AbortSignal) => Promise<void>): void;
  leads(): boolean;
  /** Milliseconds since the Lease was last read or written; undefined: never. */
  lastContact_ms(): number | undefined;
  /** Ends the term, waits for it at most so long, and gives the Lease back. */
  stop(grace_ms: number): Promise<void>;
}

interface Term {
  abort: AbortController;
  ended: Promise<void>;
}

export function createElection(options: ElectionOptions): Election {
  const { lease, identity, log, duration_ms = 15_000, deadline_ms = 10_000, retry_ms = 2000 } = options;
  const stopped = new AbortController();
  /** The record last seen, and when it was first seen like that, by this process's own clock. */
  let observed: { record: HeldRecord; at: number } | undefined;
  let contact: number | undefined;
  let term: Term | undefined;
  let campaign: Promise<void> = Promise.resolve();

  const observe = (record: HeldRecord, at: number) => {
    if (observed?.record.version === record.version && observed.record.renewed === record.renewed) return;
    observed = { record, at };
  };

  /** True: it is ours now. The time counts from before the request: later would be longer than others wait. */
  async function acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const asked = performance.now();
    const there = await lease.read(signal);
    contact = performance.now();
    if (there) observe(there, contact);
    if (there && there.holder !== '' && there.holder !== identity && contact < observed!.at + Math.max(duration_ms, there.duration_s * 1000)) return false;
    const mine = there?.holder === identity;
    const now = micro(options.now());
    const record: LeaseRecord = {
      holder: identity,
      duration_s: Math.ceil(duration_ms / 1000),
      acquired: mine ? there.acquired : now,
      renewed: now,
      transitions: there ? there.transitions + (mine ? 0 : 1) : 0,
    };
    const written = await lease.write(record, there?.version, signal);
    contact = performance.now();
    if (!written) return false;
    observed = { record: written, at: asked };
    return true;
  }

  /** One try that ends with `limit_ms`, whatever the API server does. */
  async function attempt(limit_ms: number): Promise<boolean> {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(Math.max(1, Math.ceil(limit_ms)))]);
    const given = Promise.withResolvers<never>();
    const give = () => given.reject(signal.reason as Error);
    signal.addEventListener('abort', give, { once: true });
    try {
      return await Promise.race([acquireOrRenew(signal), given.promise]);
    } finally {
      signal.removeEventListener('abort', give);
      given.promise.catch(() => undefined); // Nobody waits for it any more.
    }
  }

  async function run(lead: (signal: AbortSignal) => Promise<void>): Promise<void> {
    let failures = 0;
    while (!stopped.signal.aborted) {
      try {
        if (await attempt(deadline_ms)) await serve(lead);
        failures = 0;
      } catch (error) {
        if (stopped.signal.aborted) break;
        failures += 1;
        if (failures === 1 || failures % 30 === 0)
          log.warn({ reason: (error as Error).message, failures }, 'the lease of the watcher could not be read or written; it is tried again');
      }
      await pause(retry_ms * (1 + 0.2 * Math.random()), stopped.signal);
    }
  }

  /** A term: from here until the Lease is lost. */
  async function serve(lead: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const abort = new AbortController();
    log.info({ identity }, 'this watcher leads now');
    const ended = lead(abort.signal).catch((error: unknown) => {
      if (!abort.signal.aborted) log.error({ reason: (error as Error).message }, 'the duties of the watcher ended with an error; they begin again');
    });
    const over = ended.then(() => abort.abort());
    term = { abort, ended };
    await renew(abort.signal);
    abort.abort();
    if (!stopped.signal.aborted) log.warn({ identity }, 'this watcher leads no more');
    await over;
    term = undefined;
  }

  /** Resolves when the Lease was lost, could not be renewed in time, or the term is over. */
  async function renew(signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(retry_ms, AbortSignal.any([stopped.signal, signal]));
      if (stopped.signal.aborted || signal.aborted) return;
      const left = observed!.at + deadline_ms - performance.now();
      if (left <= 0) return;
      try {
        if (!(await attempt(left)) && observed?.record.holder !== identity) return;
      } catch (error) {
        if (stopped.signal.aborted) return;
        log.warn({ reason: (error as Error).message }, 'the lease could not be renewed; it is tried again');
      }
    }
  }

  /** So that the next one need not wait. */
  async function release(): Promise<void> {
    if (observed?.record.holder !== identity) return;
    const { version, ...record } = observed.record;
    try {
      await lease.write({ ...record, holder: '', renewed: micro(options.now()), duration_s: 1 }, version, AbortSignal.timeout(retry_ms));
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'the lease could not be given back; it ends by itself');
    }
  }

  return {
    start: (lead) => void (campaign = run(lead)),
    leads: () => term !== undefined && !term.abort.signal.aborted,
    lastContact_ms: () => (contact === undefined ? undefined : performance.now() - contact),
    stop: async (grace_ms) => {
      const led = term;
      stopped.abort();
      led?.abort.abort();
      const inTime = await within(Promise.all([campaign, led?.ended]), grace_ms);
      // Whoever still works must not meet a successor: then it ends by itself, after its duration.
      if (inTime) await release();
    },
  };
}

/** metav1.MicroTime wants six digits after the point. */
function micro(time: string): string {
  return time.replace(/(?:\.(\d{1,6}))?\d*Z$/, (_all, digits: string | undefined) => `.${(digits ?? '').padEnd(6, '0')}Z`);
}

async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const stop = new AbortController();
  const ended = await Promise.race([work.then(() => true), pause(ms, stop.signal).then(() => false)]);
  stop.abort();
  return ended;
}

/** Resolves then, or with the signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = () => resolve();
  signal.addEventListener('abort', wake, { once: true });
  if (signal.aborted) resolve();
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', wake);
  });
}
