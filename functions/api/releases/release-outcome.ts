// What came of a request to move a release, as its object shows it.
import type { EventData } from '../../../shared/events/types.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import type { Api } from '../deps.ts';

/** The part of the request that says what is wanted. */
export type Wanted = Pick<EventData<'dev.tidemill.release.requested.v1'>, 'action' | 'environment' | 'artifact' | 'version' | 'by'>;

export interface Outcome {
  outcome: 'deployed' | 'rolledback' | 'refused';
  reason?: string;
  release: Obj<'Release'>;
}

/** Whether what is wanted is what is live: then nothing will be written, and there is nothing to wait for. */
export function whatWouldNotChange(release: Obj<'Release'>, wanted: Wanted): boolean {
  const { current, history = [] } = release.status ?? {};
  if (!current) return false;
  if (wanted.action === 'deploy') return current.artifact === wanted.artifact;
  return current.version === wanted.version && !history.some((entry) => entry.version === wanted.version);
}

/** The first change of the release after `before`; undefined when none came in time, or nobody waits any more. */
export async function releaseOutcome(
  api: Api,
  before: Obj<'Release'> | undefined,
  of: { namespace: string; name: string; project: string; since: string },
  wait_ms: number,
  gone: AbortSignal,
): Promise<Outcome | undefined> {
  const signal = AbortSignal.any([AbortSignal.timeout(wait_ms), gone]);
  const events = api.objects.watch('Release', { namespace: of.namespace, labels: { [LABEL.project]: of.project }, since: of.since, signal });
  for await (const event of events) {
    if (event.type === 'BOOKMARK' || event.object.metadata.name !== of.name) continue;
    if (event.type === 'DELETED') return undefined;
    const outcome = difference(before, event.object);
    if (outcome) return outcome;
  }
  return undefined;
}

function difference(before: Obj<'Release'> | undefined, release: Obj<'Release'>): Outcome | undefined {
  const { current, refused } = release.status ?? {};
  if (current && current.at !== before?.status?.current?.at) return { outcome: current.rollback ? 'rolledback' : 'deployed', release };
  if (refused && refused.at !== before?.status?.refused?.at) return { outcome: 'refused', reason: refused.reason, release };
  return undefined;
}
