// Conditions of an object, one of each type; the time of a transition moves only when the status does.
import type { Condition } from '../objects/meta.ts';

/** With this condition; undefined: it says so already. The message may differ: servers put numbers and times in it. */
export function withCondition(conditions: readonly Condition[] = [], wanted: Condition): Condition[] | undefined {
  const there = conditions.find((condition) => condition.type === wanted.type);
  if (there?.status === wanted.status && there.reason === wanted.reason) return undefined;
  const since = there?.status === wanted.status ? there.lastTransitionTime : wanted.lastTransitionTime;
  return [...withoutCondition(conditions, wanted.type), { ...wanted, lastTransitionTime: since }];
}

export function withoutCondition(conditions: readonly Condition[] = [], type: string): Condition[] {
  return conditions.filter((condition) => condition.type !== type);
}
