// What came of the pushes of a project: counted in the objects, in what a hook was told, and in the dead letters.
import { expect } from 'vitest';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import type { Installation } from '../chain/installation.ts';
import { all, eventually, type Receiver } from '../chain/world.ts';
import type { FaultyProject } from './project.ts';

export interface Counts {
  pushes: number;
  executions: number;
  succeeded: number;
  failed: number;
  /** TaskRuns of them all. */
  taskRuns: number;
  /** Different events that the hook was told of. */
  events: number;
  /** Times that it was told. */
  told: number;
  deployed: number;
  refused: number;
  deadLetters: number;
}

const ENDED = ['Succeeded', 'Failed', 'Cancelled'];
const COMES_ABOUT_MS = 300_000;

const of = (project: FaultyProject) => ['-l', `${LABEL.project}=${project.name}`];

/** Waits until every push that was answered 202 came to an end that the hook was told of; then holds that nothing happened twice. */
export async function outcome(installation: Installation, receiver: Receiver, project: FaultyProject, wanted: 'Succeeded' | 'Failed' = 'Succeeded') {
  const ended = await eventually(`the end of ${project.told.length} pushes to ${project.name}`, COMES_ABOUT_MS, async () => {
    const executions = await all(installation, 'Execution', ...of(project));
    const open = project.told.filter((sha) => !executions.some(({ spec, status }) => spec.sha === sha && ENDED.includes(status?.phase ?? '')));
    if (open.length > 0) throw new Error(`${open.length} of ${project.told.length} are open: ${JSON.stringify(executions.map(inShort))}`);
    return executions;
  });
  expect(ended.filter(({ status }) => status?.phase !== wanted).map(inShort)).toEqual([]);
  await eventually(`the hook being told of ${project.name}`, COMES_ABOUT_MS, async () => {
    const unheard = ended.filter((execution) => !isHeard(receiver, execution, wanted));
    if (unheard.length > 0) throw new Error(`the hook was not told of ${JSON.stringify(unheard.map(inShort))}`);
    return true;
  });
  await eventually(`the lane of ${project.name} being free`, COMES_ABOUT_MS, async () => {
    const lanes = await all(installation, 'Lane', ...of(project));
    return lanes.every(({ status }) => status!.running.length + status!.waiting.length === 0) ? true : undefined;
  });
  return once(installation, receiver, project, wanted);
}

/** Holds that each push came to one execution, one TaskRun, one release or refusal, and each of that to one event. */
export async function once(installation: Installation, receiver: Receiver, project: FaultyProject, wanted: 'Succeeded' | 'Failed' = 'Succeeded') {
  const [executions, taskRuns, pushes, lanes, dead] = await Promise.all([
    all(installation, 'Execution', ...of(project)),
    all(installation, 'TaskRun', ...of(project)),
    all(installation, 'Push', '-A'),
    all(installation, 'Lane', ...of(project)),
    deadLetters(installation),
  ]);
  expect(executions.map(({ spec }) => spec.sha).toSorted()).toEqual(project.told.toSorted());
  expect(executions.map((execution) => `${execution.status?.phase} ${execution.status?.message ?? ''}`).filter((said) => !said.startsWith(wanted))).toEqual([]);
  expect(taskRuns.map(({ metadata }) => metadata.labels![LABEL.execution]).toSorted()).toEqual(executions.map(({ metadata }) => metadata.name).toSorted());
  expect(
    pushes
      .filter(({ spec }) => project.told.includes(spec.after!))
      .map(({ spec }) => spec.after)
      .toSorted(),
  ).toEqual(project.told.toSorted());
  expect(lanes.map(({ status }) => [status!.running, status!.waiting, status!.last])).toEqual([[[], [], project.told.length]]);
  expect(dead).toEqual([]);
  for (const execution of executions) expect([execution.metadata.name, eventsOf(receiver, execution)]).toEqual([execution.metadata.name, ONCE[wanted]]);
  if (wanted === 'Succeeded') await expectNewestLive(installation, project, executions);
  return countsOf(receiver, project, { executions, taskRuns, dead });
}

/** How many different events of each type a hook is told of one execution. */
const ONCE = {
  Succeeded: { 'artifact.resolved': 2, 'execution.started': 1, 'execution.finished': 1, released: 1 },
  Failed: { 'artifact.resolved': 1, 'execution.started': 1, 'execution.finished': 1, released: 0 },
};

function eventsOf(receiver: Receiver, execution: Obj<'Execution'>): Record<string, number> {
  const concerns = concernedBy(execution);
  const ids = (...types: string[]) =>
    new Set(receiver.received.filter((event) => types.some((type) => event.type === `dev.tidemill.${type}.v1`) && concerns(event.data)).map(({ id }) => id))
      .size;
  return {
    ...Object.fromEntries(['artifact.resolved', 'execution.started', 'execution.finished'].map((type) => [type, ids(type)])),
    released: ids('release.deployed', 'release.refused'),
  };
}

function concernedBy({ metadata, status }: Obj<'Execution'>) {
  return (data: Record<string, unknown>) =>
    data['namespace'] === metadata.namespace &&
    (data['execution'] === metadata.name || (status?.artifact !== undefined && data['artifact'] === status.artifact));
}

function isHeard(receiver: Receiver, execution: Obj<'Execution'>, wanted: 'Succeeded' | 'Failed'): boolean {
  const events = eventsOf(receiver, execution);
  return Object.entries(ONCE[wanted]).every(([type, count]) => events[type]! >= count);
}

/** What went live in parallel may have come in any order; what is live in the end is what was pushed last. */
async function expectNewestLive(installation: Installation, project: FaultyProject, executions: Obj<'Execution'>[]): Promise<void> {
  const release = (await all(installation, 'Release', ...of(project)))[0]!;
  const newest = executions.find(({ spec }) => spec.sha === project.told.at(-1))!;
  expect(release.status!.current!.artifact).toBe(newest.status!.artifact);
  const deployed = [release.status!.current!, ...release.status!.history].map(({ artifact }) => artifact);
  expect(new Set(deployed).size).toBe(deployed.length);
}

function countsOf(
  receiver: Receiver,
  project: FaultyProject,
  { executions, taskRuns, dead }: { executions: Obj<'Execution'>[]; taskRuns: unknown[]; dead: unknown[] },
): Counts {
  const heard = receiver.received.filter(({ data }) => executions.some((execution) => concernedBy(execution)(data)));
  const different = (type: string) => new Set(heard.filter((event) => event.type.includes(type)).map(({ id }) => id)).size;
  const ended = (phase: string) => executions.filter(({ status }) => status?.phase === phase).length;
  return {
    pushes: project.told.length,
    executions: executions.length,
    succeeded: ended('Succeeded'),
    failed: ended('Failed'),
    taskRuns: taskRuns.length,
    events: different(''),
    told: heard.length,
    deployed: different('release.deployed'),
    refused: different('release.refused'),
    deadLetters: dead.length,
  };
}

/** Of this installation's own projects: a cluster may have others, whose events come by here too. */
export async function deadLetters(installation: Installation): Promise<unknown[]> {
  const letters: unknown[] = [];
  for (let after = ''; ;) {
    const page = await eventually('the list of dead letters', 60_000, async () => {
      const headers = { authorization: `Bearer ${installation.token}` };
      const { status, body } = await installation.api('GET', `/api/v1/deadletters?limit=200${after}`, { headers });
      if (status !== 200) throw new Error(`${status} ${body}`);
      return JSON.parse(body) as { items: unknown[]; continue?: string };
    });
    letters.push(...page.items.filter((letter) => JSON.stringify(letter).includes(`"${installation.projects}"`)));
    if (page.continue === undefined) return letters;
    after = `&continue=${encodeURIComponent(page.continue)}`;
  }
}

function inShort({ metadata, spec, status }: Obj<'Execution'>): string {
  return `${metadata.name} ${spec.sha?.slice(0, 7)} ${status?.phase} ${status?.message ?? ''}`.trim();
}
