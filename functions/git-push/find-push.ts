// The Push for what was told: found when somebody told of it before, and else to be made, with what comes of it.
import { laneName, pushName, repositoryLabel, labelHash } from '../../shared/decisions/names.ts';
import { addTeller, recognise, type Tell } from '../../shared/decisions/source/push.ts';
import type { EventOf } from '../../shared/events/event.ts';
import { modifyStatus } from '../../shared/host/modify.ts';
import type { NewObj, Obj, StatusOf } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import type { Objects, Ref } from '../../shared/ports/objects.ts';
import type { functions } from '../graph.ts';

type Event = EventOf<(typeof functions)['git-push']['consumes'][number]>;

const NONE = '0'.repeat(40);
/** The same ref moved between the same two commits so often: more than that is no push but a fault. */
const MAX_OCCURRENCES = 10_000;

interface Place {
  objects: Objects;
  /** Pushes belong to a repository, not to a project: they stand here. */
  home: string;
  now: string;
}

export interface Found {
  name: string;
  /** Nobody has recorded it yet. */
  isNew: boolean;
  /** It, with who told of it and this. */
  answered(what: Pick<StatusOf<'Push'>, 'results' | 'skipped'>): { status: Obj<'Push'> } | { record: NewObj<'Push'> };
}

/** Undefined: it was told before, and what came of it is known or on its way. */
export async function findPush(event: Event, concerned: Promise<Obj<'Project'>[]>, place: Place): Promise<Found | undefined> {
  const { objects, home, now } = place;
  const moved = movement(event);
  const tell: Tell = { event: event.id, teller: moved.teller, at: now, pushedAt: moved.pushedAt, body: event.data.body };
  for (let occurrence = 0; occurrence < MAX_OCCURRENCES; occurrence++) {
    const name = pushName(event.data.repository, moved.ref, moved.before, moved.after, occurrence);
    const push = await objects.get('Push', { namespace: home, name });
    const first = addTeller({ told: [], results: [] }, tell);
    if (!push)
      return { name, isNew: true, answered: (what) => ({ record: { ...newPush(event, { namespace: home, name }, moved), status: { ...first, ...what } } }) };
    // Looked at after the push was read: what answered it had moved the head before.
    const headIsAfter = tell.pushedAt === undefined && (await isHead(await concerned, push, moved, objects));
    const recognised = recognise(push, tell, headIsAfter);
    if (recognised.kind === 'mine') return { name, isNew: false, answered: (what) => ({ status: { ...push, status: { ...first, ...push.status, ...what } } }) };
    if (recognised.kind === 'other') continue;
    if (!recognised.status || (await remember(objects, { namespace: home, name }, tell))) return undefined;
  }
  throw new Error(`${moved.ref} of ${event.data.repository} moved from ${moved.before} to ${moved.after} more than ${MAX_OCCURRENCES} times`);
}

interface Movement {
  kind: Obj<'Push'>['spec']['kind'];
  ref: string;
  before: string;
  after: string;
  pushedAt: string | undefined;
  teller: 'webhook' | 'poll';
}

function movement(event: Event): Movement {
  if (event.type === 'dev.tidemill.pull-request.changed.v1') {
    const { headRef, head, number, action } = event.data;
    return { kind: 'pull-request', ref: headRef, before: `${number}/${action}`, after: head, pushedAt: undefined, teller: 'webhook' };
  }
  const { ref, before, pushedAt, teller } = event.data;
  if (event.type === 'dev.tidemill.git.branch-deleted.v1') return { kind: 'branch-deleted', ref, before, after: NONE, pushedAt, teller };
  return { kind: event.type === 'dev.tidemill.git.tag.v1' ? 'tag' : 'branch', ref, before, after: event.data.after, pushedAt, teller };
}

/** Whether the ref has not moved since this push: a lane has it at that commit, or (tags, and what nobody builds, have no head) it is the newest told. */
async function isHead(projects: Obj<'Project'>[], push: Obj<'Push'>, moved: Movement, objects: Objects): Promise<boolean> {
  for (const { metadata } of projects) {
    const lane = await objects.get('Lane', { namespace: metadata.namespace, name: laneName(metadata.name, moved.ref) });
    if (lane?.status?.head === moved.after) return true;
  }
  const newest = await objects.list('Push', {
    namespace: push.metadata.namespace,
    labels: { [LABEL.ref]: push.metadata.labels?.[LABEL.ref] ?? '' },
    order: 'newest',
    limit: 1,
  });
  return newest.items[0]?.metadata.uid === push.metadata.uid;
}

function newPush(event: Event, ref: Ref, moved: Movement): NewObj<'Push'> {
  const { repository, repositoryId, by } = event.data;
  const isPullRequest = event.type === 'dev.tidemill.pull-request.changed.v1';
  return {
    kind: 'Push',
    metadata: {
      ...ref,
      labels: {
        [LABEL.repository]: repositoryLabel(repository),
        [LABEL.ref]: labelHash(repositoryLabel(repository), isPullRequest ? `pull/${event.data.number}` : moved.ref),
      },
    },
    spec: {
      kind: moved.kind,
      repository,
      ref: moved.ref,
      ...(isPullRequest ? { pullRequest: event.data.number } : { before: moved.before }),
      ...(moved.kind !== 'branch-deleted' && { after: moved.after }),
      ...(repositoryId && { repositoryId }),
      ...(by && { by }),
    },
  };
}

/** False: another teller was faster, and what it says of the time shows that this is another push. */
async function remember(objects: Objects, ref: Ref, tell: Tell): Promise<boolean> {
  let told = true;
  await modifyStatus(objects, 'Push', ref, (push) => {
    const recognised = recognise(push, tell, true);
    told = recognised.kind === 'told';
    return recognised.kind === 'told' ? recognised.status : undefined;
  });
  return told;
}
