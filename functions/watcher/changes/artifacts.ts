// Artifacts that wait to be resolved: what a person made is asked for at once, and what stays unresolved is asked for again.
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Duties } from '../deps.ts';
import { doubled, type Duty } from '../follow/duty.ts';
import { createRecent } from '../follow/recent.ts';
import { hasLabels } from './labels.ts';

/** So many are remembered as asked for; of one that is forgotten the same event is told once more. */
const REMEMBERED = 10_000;

export function unresolved({ ring, times: { unresolved_ms } }: Duties): Duty<'Artifact'> {
  const asked = createRecent(REMEMBERED);
  const key = ({ metadata }: Obj) => `${metadata.uid}-${metadata.generation}`;
  return {
    name: 'unresolved',
    due: (artifact, { valid }) => {
      if (!valid || !waits(artifact) || !hasLabels(artifact)) return undefined;
      // What waits for an execution was asked for by whoever opened that.
      return artifact.spec.execution === undefined && !asked.has(key(artifact)) ? 0 : unresolved_ms;
    },
    act: async (artifact, times) => {
      const { namespace, name, uid, resourceVersion } = artifact.metadata;
      const { project, execution } = artifact.spec;
      const isFirst = !asked.has(key(artifact));
      const data = { namespace, project, artifact: name, ...(execution && { execution }) };
      const ask = { type: 'dev.tidemill.artifact.requested.v1', subject: execution ?? name, data } as const;
      // Again under another id: a broker that has had the first drops what is the same.
      await ring(ask, isFirst ? key(artifact) : `${uid}-again-${resourceVersion}-${times}`);
      asked.add(key(artifact));
      return doubled(unresolved_ms, times);
    },
  };
}

function waits({ spec, status }: Obj<'Artifact'>): boolean {
  return spec.type === 'git' && (status?.phase ?? 'Unresolved') === 'Unresolved';
}
