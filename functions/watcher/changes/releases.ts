// Releases that people write: what spec.deploy asks for is asked of release-requested once, and a rollback when an annotation says so.
import type { Output } from '../../../shared/events/event.ts';
import type { EventData } from '../../../shared/events/types.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Duties } from '../deps.ts';
import type { Duty } from '../follow/duty.ts';
import { annotated, annotation, ANSWERED, ASK } from './annotations.ts';
import { hasLabels, settling } from './labels.ts';

type Release = Obj<'Release'>;

/** A Release that kubectl made has no status, and functions count on its history. */
export function firstStatus(duties: Duties): Duty<'Release'> {
  return {
    name: 'first-status',
    due: (release, { valid }) => (valid && hasLabels(release) && !release.status ? settling(release, duties) : undefined),
    act: async (release) => void (await duties.objects.updateStatus({ ...release, status: { history: [] } })),
  };
}

/** Set or changed: asked for. Taken away: forgotten, so that the same version can be asked for again. */
export function deployed({ objects, ring }: Duties): Duty<'Release'> {
  return {
    name: 'deploy',
    due: (release, { valid }) => (isReady(release, valid) && release.spec.deploy?.version !== annotation(release, ANSWERED.deploy) ? 0 : undefined),
    act: async (release) => {
      const version = release.spec.deploy?.version;
      const { uid, generation } = release.metadata;
      if (version) await ring(requested(release, { action: 'deploy', version }), `deploy-${uid}-${generation}-${version}`);
      await objects.update(annotated(release, { [ANSWERED.deploy]: version }));
    },
  };
}

export function rolledBack({ objects, ring }: Duties): Duty<'Release'> {
  const asked = (release: Release) => {
    const wanted = annotation(release, ASK.rollback);
    return wanted && wanted !== annotation(release, ANSWERED.rollback) ? wanted : undefined;
  };
  return {
    name: 'rollback',
    due: (release, { valid }) => (isReady(release, valid) && asked(release) !== undefined ? 0 : undefined),
    act: async (release) => {
      const wanted = asked(release);
      if (wanted === undefined) return;
      await ring(requested(release, { action: 'rollback' }), `rollback-${release.metadata.uid}-${wanted}`);
      await objects.update(annotated(release, { [ANSWERED.rollback]: wanted }));
    },
  };
}

function isReady(release: Release, valid: boolean): boolean {
  return valid && hasLabels(release) && release.status !== undefined;
}

function requested(
  { metadata, spec }: Release,
  wanted: Pick<EventData<'dev.tidemill.release.requested.v1'>, 'action' | 'version'>,
): Output<'dev.tidemill.release.requested.v1'> {
  const { project, environment } = spec;
  const data = { namespace: metadata.namespace, project, environment, trigger: 'user' as const, ...wanted };
  return { type: 'dev.tidemill.release.requested.v1', subject: metadata.name, data };
}
