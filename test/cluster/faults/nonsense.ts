// What a person can write into objects that makes no sense, and what has to be said of it: by the API server at once, or on the object soon after.
import { isRecord, type Kind, type Obj } from '../../../shared/objects/kinds.ts';
import type { Installation } from '../chain/installation.ts';
import { eventually } from '../chain/world.ts';
import { tryKubectl } from './kubectl.ts';

export interface Edit {
  what: string;
  kind: Kind;
  /** Of those of the kind the one to be edited: its name, or the first. */
  name?: string;
  /** A merge patch; with `status` in it, of the status. */
  patch: { spec?: object; status?: object | null; metadata?: object };
  /** In the API server's refusal. Absent: it takes it, and `said` is asked. */
  refused?: RegExp;
  /** In the object, soon after. */
  said?: RegExp;
}

const ZERO = `sha256:${'0'.repeat(64)}`;
const step = (name: string) => ({ name, taskSpec: { steps: [{ image: 'busybox', script: 'true' }] } });

/** For a namespace with one project of this name, pushed to and released, a Pipeline, a Hook and a Credential. */
export const edits = (project: string): Edit[] => [
  { what: 'a lane of no known mode', kind: 'Project', name: project, patch: { spec: { lane: { mode: 'sideways' } } }, refused: /spec\.lane\.mode/ },
  { what: 'two stages of one name', kind: 'Project', name: project, patch: { spec: { stages: ['a', 'a'].map(stage) } }, refused: /stage names must be unique/ },
  { what: 'no stages', kind: 'Project', name: project, patch: { spec: { stages: [] } }, refused: /spec\.stages/ },
  { what: 'a directory out of the repository', kind: 'Project', name: project, patch: { spec: { build: { directory: '../..' } } }, refused: /relative path/ },
  { what: 'no source', kind: 'Project', name: project, patch: { spec: { source: { url: '' } } }, refused: /spec\.source\.url/ },
  { what: 'a status that is none', kind: 'Project', name: project, patch: { status: { latest: 'yesterday' } }, refused: /status\.latest/ },
  {
    what: 'a condition without a status',
    kind: 'Project',
    name: project,
    patch: { status: { conditions: [{ type: 'Ready' }] } },
    refused: /status\.conditions/,
  },
  {
    what: 'steps that are none',
    kind: 'Pipeline',
    patch: { spec: { stages: [{ name: 'a', steps: [step('a'), step('a')] }] } },
    refused: /step names must be unique/,
  },
  {
    what: 'steps of no Task',
    kind: 'Pipeline',
    patch: { spec: { stages: [{ name: 'a', steps: [{ name: 'a', taskSpec: { steps: 'all' } }] }] } },
    refused: /steps/,
  },
  { what: 'another commit', kind: 'Push', patch: { spec: { after: '0'.repeat(40) } }, refused: /cannot change/ },
  { what: 'no status', kind: 'Push', patch: { status: null }, refused: /status/ },
  { what: 'another number', kind: 'Execution', patch: { spec: { number: 999 } }, refused: /cannot change/ },
  { what: 'an unknown phase', kind: 'Execution', patch: { status: { phase: 'Perhaps' } }, refused: /status\.phase/ },
  { what: 'run again by hand', kind: 'Execution', patch: { status: { phase: 'Running' } }, refused: /stays as it ended/ },
  { what: 'numbers that go down', kind: 'Lane', patch: { status: { last: 0 } }, refused: /only go up/ },
  { what: 'slots held by no execution', kind: 'Lane', patch: { status: { running: ['me'] } }, refused: /status\.running/ },
  { what: 'another ref', kind: 'Lane', patch: { spec: { ref: 'refs/heads/other' } }, refused: /cannot change/ },
  { what: 'another digest', kind: 'Artifact', patch: { status: { digest: ZERO } }, refused: /cannot change/ },
  { what: 'unresolved again', kind: 'Artifact', patch: { status: { phase: 'Unresolved' } }, refused: /stays so/ },
  { what: 'no status', kind: 'Artifact', patch: { status: null }, refused: /status/ },
  { what: 'another source', kind: 'Artifact', patch: { spec: { url: 'https://elsewhere.example/x' } }, refused: /cannot change/ },
  { what: 'of another project', kind: 'Release', patch: { spec: { project: 'other' } }, refused: /cannot change/ },
  { what: 'live since never', kind: 'Release', patch: { status: { current: { at: 'never' } } }, refused: /status\.current\.at/ },
  { what: 'a version that is not there', kind: 'Release', patch: { spec: { deploy: { version: '9.9.9' } } }, said: /There is no version 9\.9\.9/ },
  { what: 'no address of the web', kind: 'Hook', name: 'edited', patch: { spec: { url: 'ftp://elsewhere.example' } }, refused: /spec\.url/ },
  { what: 'the secret itself', kind: 'Hook', name: 'edited', patch: { spec: { secret: 'whsec_c2VjcmV0' } }, refused: /name of a Secret/ },
  { what: 'an unknown type', kind: 'Credential', patch: { spec: { type: 'magic' } }, refused: /spec\.type/ },
];

function stage(name: string) {
  return { name, steps: [step('a')] };
}

const SAID_MS = 60_000;

/** What was said of it. Throws when nothing was. */
export async function tryEdit(installation: Installation, { kind, name, patch, refused, said }: Edit): Promise<string> {
  // By its whole name: Tekton has a Pipeline too.
  const resource = `${kind === 'Push' ? 'pushe' : kind.toLowerCase()}s.tidemill.dev`;
  const find = async () => {
    const { items } = JSON.parse(await installation.kubectl('get', resource, '-A', '-o', 'json')) as { items: Obj[] };
    return items.find((object) => isOf(installation, object) && (!name || object.metadata.name === name));
  };
  const target = (await find())?.metadata;
  if (!target) throw new Error(`There is no ${kind} to edit`);
  const status = 'status' in patch && !isRecord(kind) ? ['--subresource=status'] : [];
  const answer = await tryKubectl(['-n', target.namespace, 'patch', resource, target.name, '--type=merge', ...status, '-p', JSON.stringify(patch)]);
  if (refused) {
    if (answer.ok || !refused.test(answer.text)) throw new Error(`${kind} ${target.name} took ${JSON.stringify(patch)}, or refused it so: ${answer.text}`);
    return answer.text;
  }
  if (!answer.ok) throw new Error(answer.text);
  return eventually(`${kind} ${target.name} saying ${said}`, SAID_MS, async () => {
    const words = saidOn((await find())!);
    if (!said!.test(words)) throw new Error(`it says ${JSON.stringify(words)}`);
    return words;
  });
}

/** Pushes stand beside no project: they say which they concern. */
function isOf({ projects }: Installation, object: Obj): boolean {
  return object.metadata.namespace === projects || (object.kind === 'Push' && JSON.stringify(object.status ?? {}).includes(`"${projects}"`));
}

function saidOn(object: Obj): string {
  const status = object.status as { conditions?: { message?: string }[]; refused?: { reason: string } } | undefined;
  return [...(status?.conditions ?? []).map(({ message }) => message ?? ''), status?.refused?.reason ?? ''].join('\n');
}
