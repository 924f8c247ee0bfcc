// What `kubectl describe` shows under Events: what became of an object, from what stands in it. Pure.
import { isTerminal } from '../../../shared/decisions/execution.ts';
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';
import type { Note } from '../deps.ts';

const SHORT_SHA = 12;

/** The newest notes of an object, each with the time that it happened at. */
export function notesOf(object: Obj<Kind>): Note[] {
  switch (object.kind) {
    case 'Artifact':
      return ofArtifact(object as Obj<'Artifact'>);
    case 'Execution':
      return ofExecution(object as Obj<'Execution'>);
    case 'Release':
      return ofRelease(object as Obj<'Release'>);
    case 'Project':
      return ofProject(object as Obj<'Project'>);
    default:
      return [];
  }
}

function ofArtifact({ metadata, spec, status }: Obj<'Artifact'>): Note[] {
  const at = status?.resolvedAt ?? metadata.creationTimestamp;
  if (status?.phase === 'Resolved') {
    // The source of an execution: that says which commit it builds.
    if (spec.type === 'git' && spec.execution) return [];
    const what =
      spec.type === 'git' ? `${spec.ref} is ${status.git?.sha.slice(0, SHORT_SHA) ?? status.digest}` : `Version ${status.version}, ${spec.files} files`;
    return [{ type: 'Normal', reason: 'Resolved', message: what, at }];
  }
  if (status?.phase === 'Invalid' || status?.phase === 'Failed')
    return [{ type: 'Warning', reason: status.phase, message: status.reason ?? 'no reason was given', at }];
  return [];
}

/** Not that it began: its status says when, Tekton notes it on the TaskRun, and it would be one more write for each push. */
function ofExecution({ status }: Obj<'Execution'>): Note[] {
  if (!status || !isTerminal(status) || !status.ended) return [];
  const message = status.message ?? (status.artifact ? `Built ${status.artifact}` : 'Every step succeeded');
  return [{ type: status.phase === 'Succeeded' ? 'Normal' : 'Warning', reason: status.phase, message, at: status.ended }];
}

function ofRelease({ status }: Obj<'Release'>): Note[] {
  const { current, refused } = status ?? {};
  return [
    ...(current
      ? [{ type: 'Normal', reason: current.rollback ? 'RolledBack' : 'Deployed', message: `Version ${current.version} is live`, at: current.at } as const]
      : []),
    ...(refused ? [{ type: 'Warning', reason: 'Refused', message: refused.reason, at: refused.at } as const] : []),
  ];
}

function ofProject({ status }: Obj<'Project'>): Note[] {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'False') return [];
  return [{ type: 'Warning', reason: ready.reason, message: ready.message ?? 'its repository cannot be read', at: ready.lastTransitionTime }];
}
