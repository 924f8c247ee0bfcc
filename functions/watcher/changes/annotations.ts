// What people ask for by annotations, and how the watcher remembers that it has answered.
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';

export const ASK = {
  /** On a Project, any new value: a run. */
  trigger: 'tidemill.dev/trigger',
  /** On a Project: branch, tag or SHA for that run. */
  triggerRef: 'tidemill.dev/trigger-ref',
  /** On a Release, any new value: back to what was live before. */
  rollback: 'tidemill.dev/rollback',
  /** On an Execution: end it, for this reason. */
  cancel: 'tidemill.dev/cancel',
} as const;

/** The watcher's own: the value that was answered last. */
export const ANSWERED = {
  trigger: 'tidemill.dev/answered-trigger',
  rollback: 'tidemill.dev/answered-rollback',
  deploy: 'tidemill.dev/answered-deploy',
} as const;

export function annotation({ metadata }: Obj, name: string): string | undefined {
  return metadata.annotations?.[name];
}

/** The object with these annotations; undefined takes one away. */
export function annotated<K extends Kind>(object: Obj<K>, annotations: Record<string, string | undefined>): Obj<K> {
  const all = { ...object.metadata.annotations, ...annotations };
  const kept = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...object, metadata: { ...object.metadata, annotations: Object.fromEntries(kept) } };
}
