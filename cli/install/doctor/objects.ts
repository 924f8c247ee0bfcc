// Whether all that an install applies is there, and is as it was applied.
import type { Resources } from '../cluster/resources.ts';
import { desiredOf } from '../desired.ts';
import { type Finding, note, ok, wrong } from '../finding.ts';
import type { Wanted } from '../options.ts';
import { type Change, changesOf } from '../steps/changes.ts';
import { survey } from '../steps/survey.ts';

const MAX_FIELDS = 3;

export async function checkDefinitions(resources: Resources, wanted: Wanted, again: string): Promise<Finding[]> {
  const { definitions } = desiredOf(wanted, () => true);
  const there = await survey(resources, wanted.namespace, definitions);
  const changes = await changesOf(resources, definitions, { ...there, stale: [] });
  const missing = changes.filter(({ what }) => what === 'create').map(nameOf);
  const other = changes.filter(({ what }) => what === 'change').map(nameOf);
  if (missing.length > 0) return [wrong('Definitions', `${missing.join(', ')} missing`, again)];
  if (other.length > 0) return [wrong('Definitions', `${other.join(', ')} are of another version`, again)];
  return [ok('Definitions', `${definitions.length} kinds, of this version`)];
}

/** `CustomResourceDefinition artifacts.tidemill.dev` → `artifacts.tidemill.dev`. */
const nameOf = ({ object }: Change) => object.slice(object.indexOf(' ') + 1);

export async function checkObjects(resources: Resources, wanted: Wanted, again: string): Promise<Finding[]> {
  const objects = desiredOf(wanted, () => true).stages.flatMap((stage) => stage.objects);
  const there = await survey(resources, wanted.namespace, objects);
  const stale = there.stale.filter(({ kind }) => kind !== 'Secret');
  const changes = await changesOf(resources, objects, { ...there, stale: [] });
  const findings = changes.flatMap(({ what, object, fields = [] }): Finding[] => {
    if (what === 'create') return [wrong('Objects', `${object} is missing`, again)];
    if (what !== 'change') return [];
    const shown = fields.slice(0, MAX_FIELDS).map(({ path, before, after }) => `${path} is ${before}, not ${after}`);
    return [
      note('Objects', `${object} was changed by somebody: ${shown.join('; ')}${fields.length > MAX_FIELDS ? '; …' : ''}`, `${again}      takes that back`),
    ];
  });
  if (stale.length > 0) findings.push(note('Objects', `${stale.length} of an earlier version are left`, again));
  return findings.length > 0 ? [...there.foreign, ...findings] : [...there.foreign, ok('Objects', `${objects.length}, as they were applied`)];
}
