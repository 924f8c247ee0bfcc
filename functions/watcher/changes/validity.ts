// The condition Valid: there, and False, only while an object that a person wrote is not as its kind has it.
import { withCondition, withoutCondition } from '../../../shared/decisions/conditions.ts';
import { modifyStatus } from '../../../shared/host/modify.ts';
import type { Kind, Obj, StatusOf } from '../../../shared/objects/kinds.ts';
import type { Condition } from '../../../shared/objects/meta.ts';
import { InvalidObject } from '../../../shared/objects/kinds.ts';
import { NotFound } from '../../../shared/ports/objects.ts';
import type { Duties } from '../deps.ts';
import type { Duty } from '../follow/duty.ts';
import { EMPTY_STATUS, messageOf, problemsOf, type Written } from './problems.ts';

export function validity<K extends Written>({ objects, note, now, log }: Duties): Duty<K> {
  return {
    name: 'validity',
    due: (object, { valid }) => (isSaid(object, valid) ? undefined : 0),
    act: async (object) => {
      const problems = problemsOf(object);
      const message = messageOf(problems);
      const at = now();
      if (problems.length > 0) note(object, { type: 'Warning', reason: 'Invalid', message, at });
      const { namespace, name } = object.metadata;
      try {
        await modifyStatus(objects, object.kind, { namespace, name }, (fresh) => said(fresh, problemsOf(fresh), at));
      } catch (error) {
        if (error instanceof NotFound) return;
        // Its status was edited into nonsense too: the note says what is wrong, and nothing can be written beside it.
        if (!(error instanceof InvalidObject)) throw error;
        log.warn({ kind: object.kind, namespace, name, reason: error.message }, 'an object is not valid, and its status cannot be written either');
      }
    },
  };
}

function conditionOf(object: Obj): Condition | undefined {
  return conditionsOf(object).find(({ type }) => type === 'Valid');
}

function conditionsOf(object: Obj): Condition[] {
  return (object.status as { conditions?: Condition[] } | undefined)?.conditions ?? [];
}

function isSaid(object: Obj, valid: boolean): boolean {
  const there = conditionOf(object);
  return valid ? there === undefined : there?.status === 'False' && there.message === messageOf(problemsOf(object));
}

function said<K extends Kind>(object: Obj<K>, problems: string[], at: string): StatusOf<K> | undefined {
  if (isSaid(object, problems.length === 0)) return undefined;
  const status = object.status ?? EMPTY_STATUS[object.kind as Written];
  const others = withoutCondition(conditionsOf(object), 'Valid');
  const condition: Condition = { type: 'Valid', status: 'False', reason: 'InvalidSpec', message: messageOf(problems), lastTransitionTime: at };
  const conditions =
    problems.length === 0 ? others : (withCondition(others, { ...condition, lastTransitionTime: conditionOf(object)?.lastTransitionTime ?? at }) ?? others);
  return { ...status, conditions } as StatusOf<K>;
}
