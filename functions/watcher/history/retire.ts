// Archives finished executions: the document first, durable, and then their objects go, the execution last. Killed anywhere, it goes on where it stopped.
import { isTerminal } from '../../../shared/decisions/execution.ts';
import { executionPattern } from '../../../shared/decisions/names.ts';
import type { Archive } from '../../../shared/host/archive.ts';
import { eachObject } from '../../../shared/host/modify.ts';
import type { Log } from '../../../shared/host/contract.ts';
import { InvalidObject, type Kind, type Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { NotFound, type Objects, type Ref } from '../../../shared/ports/objects.ts';
import type { Finished, Limits } from './finished.ts';

export interface RetireOptions {
  objects: Objects;
  archive: Archive;
  finished: Finished;
  /** Whether all lines of a TaskRun are in Storage: its pod goes with it. */
  isLogged: (taskRun: Ref) => Promise<boolean>;
  limits: Limits;
  now: () => string;
  log: Log;
}

/** At once; more are archived the next time. */
export const PER_TIME = 100;
/** One that cannot be archived yet is looked at again after so long. */
const POSTPONED_MS = 600_000;
/** Sites that stay deployable by their version, of each project, beside those that a release has or had live. */
export const SITES_KEPT = 50;

/** Resolves with how many executions were archived. */
export async function retire(options: RetireOptions, signal: AbortSignal): Promise<number> {
  const { finished, limits, now, log } = options;
  const kept = new Map<string, Promise<Set<string>>>();
  let count = 0;
  for (const ref of finished.pick(Date.parse(now()), limits, PER_TIME)) {
    if (signal.aborted) break;
    try {
      const came = await retireOne(ref, kept, options);
      if (came === 'later') finished.postpone(ref, Date.parse(now()) + POSTPONED_MS);
      else finished.gone(ref);
      if (came === 'archived') count += 1;
    } catch (error) {
      finished.postpone(ref, Date.parse(now()) + POSTPONED_MS);
      // Of one that cannot be archived the others do not wait.
      log.warn({ ...ref, reason: (error as Error).message }, 'an execution could not be archived; it is tried again');
    }
  }
  if (count > 0) log.info({ executions: count }, 'finished executions were archived');
  return count;
}

async function retireOne(ref: Ref, kept: Map<string, Promise<Set<string>>>, options: RetireOptions): Promise<'archived' | 'later' | 'gone'> {
  const { objects, archive, isLogged } = options;
  const execution = await objects.get('Execution', ref);
  // One whose name is not derived could not be found again.
  if (!execution || !isTerminal(execution.status) || !executionPattern.test(ref.name)) return 'gone';
  if (hasToTell(execution)) return 'later';
  const { namespace } = ref;
  const { project } = execution.spec;
  const of = `${namespace}/${project}`;
  if (!kept.has(of)) kept.set(of, keptSites(objects, namespace, project));
  const stay = await kept.get(of)!;
  const labels = { [LABEL.execution]: ref.name };
  const source = await objects.get('Artifact', { namespace, name: execution.spec.source });
  const artifacts: Obj<'Artifact'>[] = source ? [source] : [];
  for await (const artifact of eachObject(objects, 'Artifact', { namespace, labels }))
    if (!stay.has(artifact.metadata.name) && artifact.metadata.uid !== source?.metadata.uid) artifacts.push(artifact);
  const taskRuns: Obj<'TaskRun'>[] = [];
  for await (const taskRun of eachObject(objects, 'TaskRun', { namespace, labels })) {
    if (!(await isLogged({ namespace, name: taskRun.metadata.name }))) return 'later';
    taskRuns.push(taskRun);
  }
  if (artifacts.some(hasToTell)) return 'later';
  await archive.put({ execution, artifacts, taskRuns });
  for (const object of [...taskRuns, ...artifacts, execution]) if (!(await isSourceOfOthers(objects, object, ref.name))) await remove(objects, object);
  return 'archived';
}

/** Executions at one commit share their source: the last that goes takes it along. One that comes meanwhile runs without: what it is told has the commit. */
async function isSourceOfOthers(objects: Objects, { kind, metadata, spec }: Obj<Kind>, execution: string): Promise<boolean> {
  if (kind !== 'Artifact' || (spec as Obj<'Artifact'>['spec']).type !== 'git') return false;
  const { items } = await objects.list('Execution', { namespace: metadata.namespace, labels: { [LABEL.source]: metadata.name }, limit: 2 });
  return items.some((other) => other.metadata.name !== execution);
}

function hasToTell({ status }: Obj<'Execution' | 'Artifact'>): boolean {
  return status?.outbox?.some(({ events }) => events) ?? false;
}

/** Sites that a release has or had live, that "latest" means, or that are among the newest. Read before anything is taken away. */
async function keptSites(objects: Objects, namespace: string, project: string): Promise<Set<string>> {
  const labels = { [LABEL.project]: project };
  const names = new Set<string>();
  for await (const { status } of eachObject(objects, 'Release', { namespace, labels }))
    for (const entry of [status?.current, ...(status?.history ?? [])]) if (entry) names.add(entry.artifact);
  const latest = (await projectOf(objects, namespace, project))?.status?.latest;
  if (latest) names.add(latest.artifact);
  const sites: { name: string; created: string }[] = [];
  for await (const { metadata, spec } of eachObject(objects, 'Artifact', { namespace, labels }))
    if (spec.type === 'site') sites.push({ name: metadata.name, created: metadata.creationTimestamp });
  const newest = sites.toSorted((a, b) => (a.created < b.created ? 1 : -1)).slice(0, SITES_KEPT);
  for (const { name } of newest) names.add(name);
  return names;
}

async function projectOf(objects: Objects, namespace: string, name: string): Promise<Obj<'Project'> | undefined> {
  try {
    return await objects.get('Project', { namespace, name });
  } catch (error) {
    // Edited into nonsense: its releases say what is live.
    if (error instanceof InvalidObject) return undefined;
    throw error;
  }
}

async function remove(objects: Objects, { kind, metadata }: Obj<Kind>): Promise<void> {
  try {
    await objects.delete(kind, { namespace: metadata.namespace, name: metadata.name }, { uid: metadata.uid });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}
