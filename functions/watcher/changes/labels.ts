// The labels that functions find an object by: the API sets them, and kubectl does not.
import { hookLabels, projectLabels } from '../../../shared/decisions/names.ts';
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import type { Duties } from '../deps.ts';
import type { Duty } from '../follow/duty.ts';

const LABELS: { [K in Kind]?: (object: Obj<K>) => Record<string, string> } = {
  Project: ({ spec }) => projectLabels(spec),
  Hook: ({ spec }) => hookLabels(spec),
  Release: ({ spec }) => ({ [LABEL.project]: spec.project, [LABEL.environment]: spec.environment, [LABEL.host]: spec.host }),
  Artifact: ({ spec }) => ({ [LABEL.project]: spec.project, ...(spec.execution && { [LABEL.execution]: spec.execution }) }),
};

export function hasLabels<K extends Kind>(object: Obj<K>): boolean {
  return Object.entries(LABELS[object.kind]?.(object) ?? {}).every(([name, value]) => object.metadata.labels?.[name] === value);
}

/** The object with the labels that are its own by what its spec says. */
export function labelled<K extends Kind>(object: Obj<K>): Obj<K> {
  const labels = { ...object.metadata.labels, ...LABELS[object.kind]?.(object) };
  return { ...object, metadata: { ...object.metadata, labels } };
}

export function labelDuty<K extends Kind>({ objects, written }: Pick<Duties, 'objects' | 'written'>): Duty<K> {
  return {
    name: 'labels',
    due: (object, { valid }) => (valid && !hasLabels(object) ? 0 : undefined),
    act: async (object) => {
      written.add(object.metadata.uid);
      await objects.update(labelled(object));
    },
  };
}

/**
 * So long is left to whoever made an object to write its status too, which is a write of its own. What came without labels is a person's,
 * who writes none.
 */
export function settling({ metadata }: Obj, { written, times }: Pick<Duties, 'written' | 'times'>): number {
  return written.has(metadata.uid) ? 0 : times.settle_ms;
}
