// tidemill install, step by step: look, say what is missing, show or apply, wait, report.
import type { KubeObject } from '../../knative/generate/object.ts';
import type { Cli } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { createProgress, type Line } from '../terminal/progress.ts';
import { natsAccess, s3Access } from './access.ts';
import { checkKnative, checkKubernetes, checkTekton } from './checks/cluster.ts';
import { checkNats, checkS3 } from './checks/outside.ts';
import { checkRights } from './checks/rights.ts';
import { checkAutoscaling, checkRoom } from './checks/room.ts';
import type { Cluster } from './cluster/connect.ts';
import type { Live, Resources } from './cluster/resources.ts';
import { type Desired, desiredOf } from './desired.ts';
import { type Finding, findingText, note, wrong } from './finding.ts';
import { isOurs, LABELS, MADE_BY } from './labels.ts';
import { type Installed, readInstalled, type Wanted, wantedOf, type Words } from './options.ts';
import { type Addresses, addressesOf } from './report.ts';
import { secretObjects, type SecretValues, secretValues } from './secrets.ts';
import { applyAll, type Applied, removeAll } from './steps/apply.ts';
import { applyBrokers } from './steps/broker.ts';
import { type Change, changesOf } from './steps/changes.ts';
import { type Survey, survey } from './steps/survey.ts';
import { setTektonEvents } from './steps/tekton-events.ts';
import { isWaitedFor, type Unready, waitReady } from './steps/wait.ts';

export interface InstallOptions extends Words {
  dryRun?: boolean;
  /** Seconds until it has to work. */
  timeout_s: number;
  tektonEvents: boolean;
}

/** Everything that is known before anything is changed. */
export interface Plan {
  wanted: Wanted;
  installed: Installed | undefined;
  desired: Desired;
  secrets: SecretValues;
  secretObjects: KubeObject[];
  survey: Survey;
  findings: Finding[];
}

const DEFINITIONS_MS = 60_000;
const REMOVE_MS = 120_000;

export async function planInstall(cluster: Cluster, words: InstallOptions, cli: Cli, ask?: (question: string) => Promise<string>): Promise<Plan> {
  const { resources, server } = cluster;
  const first = await checkKubernetes(resources, server);
  if (first.some(({ state }) => state === 'wrong')) throw new CliError(EXIT.unreachable, first.map((one) => findingText(one, cli.noteStyle)).join('\n'));
  const namespace = words.namespace ?? 'tidemill-system';
  const installed = await readInstalled(resources, namespace);
  const wanted = wantedOf(words, installed, cli.io.env);
  const secrets = await secretValues(wanted, resources, cli.io.env, ask);
  const namespaces = new Map(
    await Promise.all([wanted.namespace, ...wanted.projects].map(async (name) => [name, await namespaceNamed(resources, name)] as const)),
  );
  const desired = desiredOf(wanted, (name) => {
    const there = namespaces.get(name);
    return !there || there.metadata.annotations?.[MADE_BY] !== undefined;
  });
  const ofSecrets = secretObjects(wanted, secrets);
  const all = [...ofSecrets, ...desired.stages.flatMap(({ objects }) => objects)];
  const surveyed = await survey(resources, wanted.namespace, all);
  const findings = [
    ...first,
    ...(await checkTekton(resources)),
    ...(await checkKnative(resources, wanted.overlay)),
    ...(wanted.overlay === 'jetstream' ? await checkNats(natsAccess(wanted, secrets), wanted.size === 'production' ? 3 : 1) : []),
    ...(await checkS3(s3Access(wanted, secrets), false)),
    ...(await checkRights(resources, [...desired.definitions, ...desired.namespaces, ...all])),
    ...(await checkRoom(resources, all, wanted.namespace)),
    ...(await checkAutoscaling(resources, all)),
    ...going(namespaces),
    ...(await strangers(resources, wanted.namespace, namespaces.get(wanted.namespace))),
    ...(await neighbours(resources, wanted.namespace)),
    ...surveyed.foreign,
  ];
  return { wanted, installed, desired, secrets, secretObjects: ofSecrets, survey: surveyed, findings };
}

const namespaceNamed = (resources: Resources, name: string) => resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

function going(namespaces: ReadonlyMap<string, Live | undefined>): Finding[] {
  const names = [...namespaces].flatMap(([name, there]) => (there?.metadata.deletionTimestamp ? [name] : []));
  return names.map((name) => wrong('Namespace', `${name} is being deleted`, `Wait until it is gone: kubectl wait --for=delete namespace/${name}`));
}

/** The namespace gets restricted Pod Security: what else runs in it might not start again. */
async function strangers(resources: Resources, namespace: string, there: { metadata: { labels?: Record<string, string> } } | undefined): Promise<Finding[]> {
  if (!there || isOurs(there)) return [];
  const pods = await resources.list('v1', 'Pod', { namespace });
  const others = pods.filter((pod) => !isOurs(pod)).map(({ metadata }) => metadata.name);
  if (others.length === 0) return [];
  return [
    wrong(
      'Namespace',
      `${namespace} is used by others (${others.slice(0, 3).join(', ')})`,
      'tidemill wants a namespace of its own, which it restricts: --namespace NAME',
    ),
  ];
}

async function neighbours(resources: Resources, namespace: string): Promise<Finding[]> {
  const all = await resources.list('v1', 'Namespace', { labelSelector: `${LABELS.partOf}=tidemill,${LABELS.installation}` });
  const others = all.map(({ metadata }) => metadata.labels![LABELS.installation]!).filter((name) => name !== namespace);
  return others.length === 0
    ? []
    : [note('Other installations', `there is one in ${others.join(' and in ')}: they share the definitions, which become those of this version`)];
}

export async function showChanges(cluster: Cluster, plan: Plan): Promise<Change[]> {
  const { desired, survey: surveyed, secretObjects: ofSecrets } = plan;
  const cluster_ = [...desired.definitions, ...desired.namespaces];
  const live = new Map([...surveyed.live, ...(await survey(cluster.resources, plan.wanted.namespace, cluster_)).live]);
  return await changesOf(cluster.resources, [...cluster_, ...ofSecrets, ...desired.stages.flatMap(({ objects }) => objects)], { ...surveyed, live });
}

export interface Outcome {
  applied: Applied;
  removed: string[];
  unready: Unready[];
  addresses: Addresses;
  findings: Finding[];
}

export async function runInstall(cluster: Cluster, plan: Plan, options: InstallOptions, cli: Cli): Promise<Outcome> {
  const { resources } = cluster;
  const { wanted, desired, survey: surveyed, installed } = plan;
  const signal = cli.interruption();
  const steps = createSteps(cli);
  const applied: Applied = { created: 0, changed: 0, same: 0 };
  const apply = async (objects: readonly KubeObject[], live = surveyed.live) => {
    const done = await applyAll(resources, objects, live);
    for (const key of ['created', 'changed', 'same'] as const) applied[key] += done[key];
    return `${objects.length} objects`;
  };
  const wait = async (objects: readonly KubeObject[], timeout_ms: number, tell: (detail: string) => void): Promise<Unready[]> =>
    await waitReady(resources, objects, { timeout_ms, signal, tell: (ready, all, why) => tell(`${ready} of ${all}${why ? `: ${why}` : ''}`) });
  try {
    const before = await survey(resources, wanted.namespace, [...desired.definitions, ...desired.namespaces]);
    await steps.run('definitions', async (tell) => {
      await apply(desired.definitions, before.live);
      const unready = await wait(desired.definitions, DEFINITIONS_MS, tell);
      if (unready[0]) throw new CliError(EXIT.failed, `${unready[0].object} was not taken: ${unready[0].why}`);
      return `${desired.definitions.length} kinds`;
    });
    await steps.run('namespaces', async () => `${await apply(desired.namespaces, before.live)}: ${[wanted.namespace, ...wanted.projects].join(', ')}`);
    await steps.run('secrets', async () => {
      await apply(plan.secretObjects);
      return plan.secrets.added.length > 0 ? `new: ${plan.secrets.added.join(', ')}` : 'kept as they are';
    });
    const s3 = await steps.run('storage', async () => await bucketMade(wanted, plan.secrets));
    const removed: string[] = [];
    const prune = async () => {
      const left = await removeAll(resources, surveyed.stale, REMOVE_MS);
      removed.push(...surveyed.stale.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
      return left.length > 0
        ? `${left.length} are not gone yet: ${left
            .slice(0, 3)
            .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
            .join(', ')}`
        : `${surveyed.stale.length} objects`;
    };
    // Functions of the other overlay have the same names in other kinds: they make way first.
    const changesOverlay = installed !== undefined && installed.overlay !== wanted.overlay;
    if (changesOverlay) await steps.run('clearing', prune);
    const all = desired.stages.flatMap(({ objects }) => objects);
    let done: readonly KubeObject[] = [];
    for (const { name, objects } of desired.stages.filter((stage) => stage.objects.length > 0)) {
      await steps.run(name, async (tell) => {
        if (name !== 'broker') return apply(objects.filter((object) => !done.includes(object)));
        done = await applyBrokers({ objects, all, live: surveyed.live, apply, wait: (some) => wait(some, DEFINITIONS_MS, tell) });
        return `${objects.length + done.length} objects`;
      });
    }
    if (!changesOverlay && surveyed.stale.length > 0) await steps.run('clearing', prune);
    const waitedFor = all.filter(isWaitedFor);
    const unready = await steps.wait('ready', waitedFor.length, (tell) => wait(waitedFor, options.timeout_s * 1000, tell));
    const events = options.tektonEvents ? await tektonEvents(resources, wanted) : [];
    return { applied, removed, unready, addresses: await addressesOf(resources, wanted), findings: [...s3, ...events] };
  } finally {
    steps.end();
  }
}

async function bucketMade(wanted: Wanted, secrets: SecretValues): Promise<Finding[] & { said?: string }> {
  const findings = await checkS3(s3Access(wanted, secrets), true);
  const [first] = findings;
  if (first?.state === 'wrong') throw new CliError(EXIT.failed, `${first.said}\n${first.todo ?? ''}`);
  return findings;
}

async function tektonEvents(resources: Resources, { overlay, namespace }: Wanted): Promise<Finding[]> {
  if (overlay !== 'knative') return [];
  const broker = await resources.get({ apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', metadata: { name: 'tidemill', namespace } });
  const url = (broker?.status?.['address'] as { url?: string } | undefined)?.url;
  if (!url) return [note('Tekton events', 'the Broker has no address yet: run tidemill install again when it has')];
  return [await setTektonEvents(resources, namespace, url)];
}

/** Steps as lines of progress, on stderr. */
function createSteps(cli: Cli) {
  const progress = createProgress(cli.io.stderr, cli.noteStyle);
  const lines: Line[] = [];
  const begin = (label: string): Line => {
    const line: Line = { key: label, label, state: 'running', started: Date.now() };
    lines.push(line);
    progress.show(lines);
    return line;
  };
  const tellOf = (line: Line) => (detail: string) => {
    line.detail = detail;
    progress.show(lines);
  };
  const settle = (line: Line, state: Line['state'], detail?: string) => {
    Object.assign(line, { state, ended: Date.now(), ...(detail !== undefined && { detail }) });
    progress.show(lines);
  };
  return {
    run: async <T>(label: string, work: (tell: (detail: string) => void) => Promise<T>): Promise<T> => {
      const line = begin(label);
      try {
        const done = await work(tellOf(line));
        settle(line, 'done', typeof done === 'string' ? done : Array.isArray(done) ? (done as Finding[]).map(({ said }) => said).join('; ') : undefined);
        return done;
      } catch (error) {
        settle(line, 'failed', error instanceof Error ? error.message : String(error));
        throw error;
      }
    },
    wait: async (label: string, count: number, work: (tell: (detail: string) => void) => Promise<Unready[]>): Promise<Unready[]> => {
      const line = begin(label);
      const unready = await work(tellOf(line));
      settle(line, unready.length > 0 ? 'failed' : 'done', unready.length > 0 ? `${count - unready.length} of ${count}` : `${count} of ${count}`);
      return unready;
    },
    end: () => progress.end(),
  };
}
