// What is recorded of the refs of a repository: the lanes of its projects, and the pushes.
import { headOf } from '../../shared/decisions/lane.ts';
import { DEFAULT_NAMESPACE, labelHash, laneName, repositoryLabel } from '../../shared/decisions/names.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import type { Recorded } from './decide.ts';

export interface Place {
  objects: Objects;
  /** Pushes belong to a repository, not to a project: they stand in this namespace. Default "default". */
  home?: string;
}

const PAGE = 500;

export async function readRecorded(place: Place, url: string, projects: readonly Obj<'Project'>[], ref: string): Promise<Recorded> {
  const { objects } = place;
  const lanes: string[] = [];
  // Tags share one lane, whose head says nothing of a single tag.
  for (const { metadata } of ref.startsWith('refs/heads/') ? projects : []) {
    const lane = await objects.get('Lane', { namespace: metadata.namespace, name: laneName(metadata.name, ref) });
    const head = headOf(lane?.status);
    if (head) lanes.push(head);
  }
  const push = await newestPush(place, url, ref);
  return { lanes, ...(push && { push: { name: push.metadata.name, ...(push.spec.after && { after: push.spec.after }) } }) };
}

export async function newestPush({ objects, home = DEFAULT_NAMESPACE }: Place, url: string, ref: string): Promise<Obj<'Push'> | undefined> {
  const labels = { [LABEL.ref]: labelHash(repositoryLabel(url), ref) };
  const { items } = await objects.list('Push', { namespace: home, labels, order: 'newest', limit: 5 });
  return items.find((push) => push.spec.kind !== 'pull-request');
}

/** Branches that a project has built and knows the head of. */
export async function* builtBranches(objects: Objects, { metadata }: Obj<'Project'>): AsyncGenerator<{ ref: string; sha: string }> {
  const options = { namespace: metadata.namespace, labels: { [LABEL.project]: metadata.name }, limit: PAGE };
  for (let next: string | undefined, first = true; first || next; first = false) {
    const page = await objects.list('Lane', { ...options, ...(next && { continue: next }) });
    for (const { spec, status } of page.items) {
      const sha = headOf(status);
      if (spec.ref.startsWith('refs/heads/') && sha) yield { ref: spec.ref, sha };
    }
    next = page.continue;
  }
}
