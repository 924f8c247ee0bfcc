// Signed push → TaskRun object: against a bare client and Tekton Triggers that make the same TaskRun, with Tekton's controller away.
import type { Overlay } from '../../../cluster/chain/installation.ts';
import { median, quantile } from '../../figures.ts';
import type { BenchRow } from '../../row.ts';
import type { Ground } from '../ground.ts';
import type { Installed } from '../installed.ts';
import { single, type Source, steady, sustained } from '../load.ts';
import { bareClient, type Peer, templateOf, tektonTriggers } from '../peers.ts';
import { sameWrites, WRITES } from '../same-writes.ts';
import { removeTaskRuns, withoutTekton } from '../tekton.ts';

/** On jetstream what is wanted is wanted of the rate, too. */
const ROUNDS: Record<Overlay, number> = { jetstream: 3, knative: 1 };
const ROUND_MS = 2500;
const IN_FLIGHT = [1, 16, 64] as const;
/** What Triggers is asked for at once: it makes five a second whatever that is. */
const TRIGGERS_IN_FLIGHT = 16;
/** Of each round on jetstream; of all on knative. */
const SINGLES: Record<Overlay, number> = { jetstream: 20, knative: 40 };
const TRIGGERS = 'Tekton Triggers, EventListener with GitHub interceptor';
const REST_MS = 20;
const NEW_COMMITS = 20;
const PER_SECOND = 2;
const STEADY_S: Record<Overlay, number> = { jetstream: 60, knative: 30 };
/** At most so much above a bare creation, at the median, in ms. */
const ABOVE: Record<Overlay, number> = { jetstream: 25, knative: 60 };

interface Round {
  inFlight: number;
  ours: number;
  bare: number;
  writes?: number;
}

interface Peers {
  bare: Peer;
  triggers: Peer | undefined;
  /** On jetstream, where something is wanted of the rate. */
  writes: Peer | undefined;
}

interface Measured {
  rounds: Round[];
  triggers: number[];
  ours: number[];
  bare: number[];
  unseen: number[];
  steady: Map<string, number[]>;
  writesSteady?: Map<string, number[]>;
}

export async function taskRunRows(ground: Ground, overlay: Overlay, ours: Installed): Promise<BenchRow[]> {
  const { log } = ground;
  const { taskRun } = await ours.tell();
  await ours.arrivals.of(taskRun);
  const template = await templateOf(ground, ours.installation.projects, taskRun);
  const bare = await bareClient(ground, template);
  const triggers = await tektonTriggers(ground, template);
  if (!triggers) log('the cluster has no Tekton Triggers: its rows are left out. Install it to have them');
  const writes = overlay === 'jetstream' ? await sameWrites(ground, ours, template) : undefined;
  const peers: Peers = { bare, triggers, writes };
  const namespaces = [ours.installation.projects, ...Object.values(peers).flatMap((peer: Peer | undefined) => (peer ? [peer.namespace] : []))];
  const measured = await withoutTekton(ground, namespaces, () => measure(ground, overlay, ours, peers));
  return rowsOf(overlay, measured, triggers !== undefined);
}

async function measure(ground: Ground, overlay: Overlay, ours: Installed, { bare, triggers, writes }: Peers): Promise<Measured> {
  const { log } = ground;
  const measured: Measured = { rounds: [], triggers: [], ours: [], bare: [], unseen: [], steady: new Map() };
  const afresh = async () => {
    await ours.clean();
    for (const peer of [bare, triggers, writes]) if (peer) await removeTaskRuns(ground, peer.namespace);
    await ours.warm();
  };
  for (let round = 0; round < ROUNDS[overlay]; round++) {
    await afresh();
    // In turn, so that what else the machine does meets both.
    const both = { ours: await single(ours.push, SINGLES[overlay], REST_MS), bare: await single(bare.shot, SINGLES[overlay], REST_MS) };
    measured.ours.push(...both.ours);
    measured.bare.push(...both.bare);
    log(`${overlay}: one push ${median(both.ours).toFixed(1)} ms, the bare creation ${median(both.bare).toFixed(1)} ms`);
    for (const inFlight of IN_FLIGHT) {
      const one: Round = { inFlight, ours: await sustained(ours.push, inFlight, ROUND_MS), bare: await sustained(bare.shot, inFlight, ROUND_MS) };
      if (writes) one.writes = await sustained(writes.shot, inFlight, ROUND_MS);
      measured.rounds.push(one);
      const all = one.writes === undefined ? '' : `, with all the writes of a push ${one.writes.toFixed(1)}`;
      log(`${overlay}: ${inFlight} in flight: ${one.ours.toFixed(1)} a second, the bare client ${one.bare.toFixed(1)}${all}`);
    }
    if (triggers) measured.triggers.push(await sustained(triggers.shot, TRIGGERS_IN_FLIGHT, ROUND_MS));
  }
  await afresh();
  measured.unseen = await single(ours.pushNew, NEW_COMMITS, REST_MS);
  const sources: Source[] = [{ name: 'ours', shot: ours.push }, ...(triggers ? [{ name: 'triggers', shot: triggers.shot }] : [])];
  log(`${overlay}: ${PER_SECOND} a second for ${STEADY_S[overlay]} s`);
  measured.steady = await steady(sources, PER_SECOND, STEADY_S[overlay]);
  if (writes && triggers) {
    const same: Source[] = [
      { name: 'writes', shot: writes.shot },
      { name: 'triggers', shot: triggers.shot },
    ];
    measured.writesSteady = await steady(same, PER_SECOND, STEADY_S[overlay]);
  }
  await ours.clean();
  return measured;
}

function rowsOf(overlay: Overlay, { rounds, triggers, ours, bare, unseen, steady: at, writesSteady }: Measured, hasTriggers: boolean): BenchRow[] {
  const bench = `cluster, ${overlay}`;
  const client = 'bare client, the same TaskRun alone';
  const ms = (what: string, mine: number, theirs: number, target: string, ok: boolean, note?: string): BenchRow => ({
    bench,
    what,
    ours: mine,
    peer: client,
    theirs,
    unit: 'ms',
    ratio: mine / theirs,
    target,
    ok,
    ...(note && { note }),
  });
  const above = median(ours) - median(bare);
  const rows: BenchRow[] = IN_FLIGHT.flatMap((inFlight) => [sustainedRow(bench, overlay, client, inFlight, rounds), ...writesRow(bench, inFlight, rounds)]);
  rows.push(
    ms(
      'one signed push → its TaskRun, p50',
      median(ours),
      median(bare),
      `<= ${ABOVE[overlay]} ms above`,
      above <= ABOVE[overlay],
      `${above.toFixed(1)} ms above; ${ours.length} of each in turn, nothing else in flight; the commit is held already`,
    ),
    ms('the same, p99', quantile(ours, 0.99), quantile(bare, 0.99), 'reported', true),
    ms('the same of a commit that nobody has seen: `git fetch` included, p50', median(unseen), median(bare), 'reported', true, `${unseen.length} pushes`),
  );
  if (hasTriggers) rows.push(...triggersRows(bench, overlay, triggers, rounds, at));
  if (writesSteady) {
    const [mine, theirs] = ['writes', 'triggers'].map((name) => quantile(writesSteady.get(name)!, 0.99)) as [number, number];
    rows.push({
      bench,
      what: `the same p99, of a bare client that makes the writes of a push (${WRITES}; no function of ours takes part)`,
      ours: mine,
      peer: TRIGGERS,
      theirs,
      unit: 'ms',
      ratio: mine / theirs,
      target: 'reported',
      ok: true,
    });
  }
  return rows;
}

/** How much of what is below the bare client are the objects, and how much the functions. */
function writesRow(bench: string, inFlight: number, rounds: readonly Round[]): BenchRow[] {
  const of = rounds.flatMap((round) => (round.inFlight === inFlight && round.writes ? [{ ...round, writes: round.writes }] : []));
  if (of.length === 0) return [];
  return [
    {
      bench,
      what: `the same, ${inFlight} in flight (${WRITES})`,
      ours: median(of.map((round) => round.ours)),
      peer: 'bare client, all the writes of a push',
      theirs: median(of.map((round) => round.writes)),
      unit: '1/s',
      ratio: median(of.map(({ ours, writes }) => ours / writes)),
      target: 'reported',
      ok: true,
    },
  ];
}

function sustainedRow(bench: string, overlay: Overlay, peer: string, inFlight: number, rounds: readonly Round[]): BenchRow {
  const of = rounds.filter((round) => round.inFlight === inFlight);
  const ratio = median(of.map(({ ours, bare }) => ours / bare));
  const wanted = overlay === 'jetstream';
  return {
    bench,
    what: `TaskRuns a second, ${inFlight} in flight`,
    ours: median(of.map((round) => round.ours)),
    peer,
    theirs: median(of.map((round) => round.bare)),
    unit: '1/s',
    ratio,
    target: wanted ? '>= 0.35' : 'reported',
    ok: !wanted || ratio >= 0.35,
    note: `${of.length === 1 ? 'a round' : `medians of ${of.length} alternating rounds`} of ${ROUND_MS / 1000} s; in flight: pushes whose TaskRun a watch has not shown yet; branches in turn, each with a lane of its own`,
  };
}

function triggersRows(bench: string, overlay: Overlay, rates: readonly number[], rounds: readonly Round[], at: Map<string, number[]>): BenchRow[] {
  const mine = at.get('ours')!;
  const theirs = at.get('triggers')!;
  const rate = median(rounds.filter(({ inFlight }) => inFlight === TRIGGERS_IN_FLIGHT).map(({ ours }) => ours));
  const row = (what: string, share: number, wanted: boolean): BenchRow => {
    const [a, b] = [quantile(mine, share), quantile(theirs, share)];
    return { bench, what, ours: a, peer: TRIGGERS, theirs: b, unit: 'ms', ratio: a / b, target: wanted ? '< 1' : 'reported', ok: !wanted || a < b };
  };
  return [
    {
      bench,
      what: `TaskRuns a second, ${TRIGGERS_IN_FLIGHT} in flight`,
      ours: rate,
      peer: TRIGGERS,
      theirs: median(rates),
      unit: '1/s',
      ratio: rate / median(rates),
      target: 'reported',
      ok: true,
      note: 'its client is throttled, and has no setting for that',
    },
    row(`push → TaskRun at ${PER_SECOND} a second for ${STEADY_S[overlay]} s, p50`, 0.5, false),
    { ...row(`push → TaskRun at ${PER_SECOND} a second for ${STEADY_S[overlay]} s, p99`, 0.99, true), note: 'both at once, a quarter of a second apart' },
  ];
}
