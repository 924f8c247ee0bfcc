// Objects that do not even fit their schema: no list and no watch gives them, so what is wrong is said on them by plain requests.
import { withCondition } from '../../../shared/decisions/conditions.ts';
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import type { Unfit } from '../../../shared/kubernetes/objects/objects.ts';
import { objectPath } from '../../../shared/kubernetes/objects/resources.ts';
import { kinds } from '../../../shared/objects/kinds.ts';
import type { Condition } from '../../../shared/objects/meta.ts';
import { EMPTY_STATUS } from './problems.ts';

/** Writes the condition Valid=False. Where the status cannot be written either, nothing is: the note beside it says what is wrong. */
export type SayUnfit = (unfit: Unfit) => Promise<void>;

interface Raw {
  metadata: { uid: string; resourceVersion: string; generation?: number };
  status?: { conditions?: Condition[] };
}

const MAX_MESSAGE = 1000;

export function sayUnfit(client: Pick<KubeClient, 'request'>, now: () => string): SayUnfit {
  return async ({ kind, ref, uid, message }) => {
    if (!(kind in EMPTY_STATUS)) return;
    const path = objectPath(kind, ref);
    const raw = await unless([404], client.request<Raw>('GET', path));
    if (raw?.metadata.uid !== uid) return;
    const wanted: Condition = { type: 'Valid', status: 'False', reason: 'InvalidSpec', message: message.slice(0, MAX_MESSAGE), lastTransitionTime: now() };
    const there = raw.status?.conditions ?? [];
    if (there.some((condition) => condition.type === 'Valid' && condition.message === wanted.message)) return;
    const conditions = withCondition(
      there.filter(({ type }) => type !== 'Valid'),
      wanted,
    );
    const { resourceVersion } = raw.metadata;
    const status = { ...(raw.status ?? EMPTY_STATUS[kind as keyof typeof EMPTY_STATUS]), conditions };
    const body = { apiVersion: kinds[kind].apiVersion, kind, metadata: { ...ref, resourceVersion }, status };
    // 409: it was changed meanwhile, and will be told again. 422: its status is nonsense as well.
    await unless([404, 409, 422], client.request('PATCH', `${path}/status`, { body, contentType: 'application/merge-patch+json' }));
  };
}

/** Undefined where the API server answers so. */
async function unless<T>(statuses: number[], answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (statuses.includes((error as { status?: number }).status ?? 0)) return undefined;
    throw error;
  }
}
