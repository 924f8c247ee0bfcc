// Which isolation a TaskRun gets. Images of tidemill's own stand for this machine's programs, so a Task that names no other
// needs no engine that would fetch images: it works with no network, and puts nothing on the machine.
import { OWN_IMAGES } from '../builtin.ts';
import { detectIsolation } from './detect.ts';
import type { Isolation } from './isolation.ts';

interface TaskImages {
  steps?: { image?: string }[];
  sidecars?: { image?: string }[];
  stepTemplate?: { image?: string };
}

export interface Isolations {
  /** What isolates a Task with images of its own. */
  strongest(): Promise<Isolation>;
  of(task: TaskImages): Promise<Isolation>;
}

/** Detected once, when it is first needed. What TIDEMILL_ISOLATION asks for holds for every Task. */
export function createIsolations(env: NodeJS.ProcessEnv): Isolations {
  let strongest: Promise<Isolation> | undefined;
  let withoutImages: Promise<Isolation> | undefined;
  const best = () => (strongest ??= detectIsolation(env));
  return {
    strongest: best,
    of: async (task) => {
      const found = await best();
      if (!found.usesImages || env['TIDEMILL_ISOLATION'] || !isOwn(task)) return found;
      return (withoutImages ??= detectIsolation(env, undefined, ['bubblewrap', 'none']));
    },
  };
}

function isOwn({ steps = [], sidecars = [], stepTemplate }: TaskImages): boolean {
  return [...steps, ...sidecars].every((container) => (container.image ?? stepTemplate?.image ?? '').startsWith(OWN_IMAGES));
}
