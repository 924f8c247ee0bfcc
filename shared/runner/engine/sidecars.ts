// Sidecars: begun before the steps, ready before the first, ended after the last.
import { applySidecar } from '../task/apply.ts';
import type { Attempt } from './attempt.ts';
import { declaredEnv, expand } from './env.ts';
import { linkVolumes } from './layout.ts';
import { createLineSplitter } from './lines.ts';
import { CannotStart, type Running, start } from './process.ts';
import { untilReady } from './probe.ts';
import type { Sidecar } from '../task/spec.ts';
import { launchOf, passesFor, scriptCommand } from './step.ts';

interface Started {
  name: string;
  running: Running;
  startedAt: string;
  terminated?: { exitCode: number; reason: string; startedAt: string; finishedAt: string };
  /** Resolves when it has ended and its output is told. */
  ended: Promise<void>;
}

export interface Sidecars {
  stop(): Promise<void>;
  /** As status shows them. */
  states(): object[];
}

/** Throws InvalidValue for a sidecar that lacks what it refers to. One that fails or cannot be started says so in the log; the steps find out. */
export async function startSidecars(attempt: Attempt): Promise<Sidecars> {
  const started: Started[] = [];
  const stop = () => stopAll(attempt, started);
  try {
    for (const [index, raw] of (attempt.layout.task.sidecars ?? []).entries()) {
      const passes = passesFor(attempt, { name: raw.name, ...(raw.workspaces && { workspaces: raw.workspaces }) }, index, attempt.options.isolation.ownPaths);
      const sidecar = passes.reduce((applied, by) => applySidecar(applied, by), raw);
      const one = await startOne(attempt, sidecar, index);
      if (one) started.push(one);
    }
    return { stop, states: () => started.map(stateOf) };
  } catch (error) {
    await stop();
    throw error;
  }
}

function stateOf({ name, startedAt, terminated }: Started): object {
  return { name, container: `sidecar-${name}`, ...(terminated ? { terminated } : { running: { startedAt } }) };
}

async function startOne(attempt: Attempt, sidecar: Sidecar, index: number): Promise<Started | undefined> {
  const label = `sidecar-${sidecar.name}`;
  const { isolation, onLine, now, record } = attempt.options;
  if (!isolation.ownPaths) await linkVolumes(attempt.layout, sidecar);
  const env = await declaredEnv(sidecar, attempt.envOptions);
  const script = sidecar.script ? await scriptCommand(attempt, sidecar, label, false) : undefined;
  const expanded = (parts: readonly string[] | undefined) => (parts ?? []).map((part) => expand(part, env));
  const command = script ?? (sidecar.command && expanded(sidecar.command));
  try {
    const launch = await launchOf(attempt, sidecar, label, [...(command ?? []), ...expanded(sidecar.args)], command !== undefined, env);
    const splitters = { stdout: createLineSplitter(attempt.mask), stderr: createLineSplitter(attempt.mask) };
    const tell = async (stream: 'stdout' | 'stderr', lines: string[]) => {
      for (const text of lines) await onLine({ step: label, stream, time: now(), text });
    };
    const running = await start(launch, record, {
      stdout: (chunk) => tell('stdout', splitters.stdout.push(chunk)),
      stderr: (chunk) => tell('stderr', splitters.stderr.push(chunk)),
    });
    if (index === 0 && launch.container) attempt.network = launch.container;
    const gone = new AbortController();
    const startedAt = now();
    const started: Started = { name: sidecar.name, running, startedAt, ended: Promise.resolve() };
    started.ended = running.exited.then(async (code) => {
      gone.abort();
      started.terminated = { exitCode: code < 0 ? 255 : code, reason: code === 0 ? 'Completed' : 'Error', startedAt, finishedAt: now() };
      for (const stream of ['stdout', 'stderr'] as const) await tell(stream, splitters[stream].end());
      if (code > 0) attempt.say(label, `the sidecar ended with code ${code}`);
    });
    await ready(attempt, sidecar, gone.signal);
    return started;
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    attempt.say(label, error.message);
    return undefined;
  }
}

async function ready(attempt: Attempt, sidecar: Sidecar, gone: AbortSignal): Promise<void> {
  const probe = sidecar.readinessProbe;
  if (!probe) return;
  const signal = AbortSignal.any([attempt.options.signal, attempt.deadline, gone]);
  const exec = async (command: string[]) => {
    const env = await declaredEnv(sidecar, attempt.envOptions);
    const launch = await launchOf(attempt, sidecar, `probe-${sidecar.name}-${Math.random().toString(36).slice(2, 8)}`, command, true, env);
    const running = await start(launch, attempt.options.record, { stdout: () => undefined, stderr: () => undefined });
    return (await running.exited) === 0;
  };
  await untilReady(sidecar.name, probe, exec, signal).catch((error: unknown) => attempt.say(`sidecar-${sidecar.name}`, (error as Error).message));
}

async function stopAll({ options }: Attempt, started: readonly Started[]): Promise<void> {
  await Promise.all(
    started.map(async ({ running, ended }) => {
      running.signal('SIGTERM');
      const kill = setTimeout(() => running.signal('SIGKILL'), options.grace_ms);
      await ended;
      clearTimeout(kill);
    }),
  );
}
