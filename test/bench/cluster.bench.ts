// Cluster: the chain on a real cluster, from a signed push to its TaskRun and back, against a bare client, Tekton Triggers, NATS and `node -e 0`.
// Needs the environment of the cluster's tests (test/cluster/env.ts). Each overlay is installed once for all the rows that need it.
import type { Overlay } from '../cluster/chain/installation.ts';
import { ensureCrds } from '../cluster/objects/crds.ts';
import { type Ground, onGround } from './cluster/ground.ts';
import { installed, type Installed } from './cluster/installed.ts';
import type { RowName } from './cluster/names.ts';
import { chainRows } from './cluster/rows/chain.ts';
import { coldRows } from './cluster/rows/cold.ts';
import { fromZeroRows } from './cluster/rows/from-zero.ts';
import { keptRows } from './cluster/rows/kept.ts';
import { shareRows } from './cluster/rows/share.ts';
import { taskRunRows } from './cluster/rows/taskrun.ts';
import { bringTektonBack } from './cluster/tekton.ts';
import type { BenchRow, RunBench } from './row.ts';

/** What needs no installation comes first: the watcher of one would work on what these make. */
const ALONE: readonly { row: RowName; measure: (ground: Ground) => Promise<BenchRow[]> }[] = [
  { row: 'cold', measure: coldRows },
  { row: 'chain', measure: chainRows },
  { row: 'kept', measure: keptRows },
];

interface OnOverlay {
  row: RowName;
  overlays: readonly Overlay[];
  measure: (ground: Ground, overlay: Overlay, ours: Installed) => Promise<BenchRow[]>;
}

/** On knative all sleep soon once that was measured: last. */
const ON_OVERLAY: readonly OnOverlay[] = [
  { row: 'taskrun', overlays: ['jetstream', 'knative'], measure: taskRunRows },
  { row: 'share', overlays: ['jetstream'], measure: shareRows },
  { row: 'from-zero', overlays: ['knative'], measure: fromZeroRows },
];

export const run: RunBench = (log, words = []) =>
  onGround(log, async (ground) => {
    const isWanted = ({ row }: { row: RowName }) => words.length === 0 || words.includes(row);
    await bringTektonBack(ground);
    await ensureCrds(ground.client);
    const rows: BenchRow[] = [];
    for (const { measure } of ALONE.filter(isWanted)) rows.push(...(await ground.scoped(() => measure(ground))));
    for (const overlay of ['jetstream', 'knative'] as const) {
      const wanted = ON_OVERLAY.filter((one) => isWanted(one) && one.overlays.includes(overlay));
      if (wanted.length > 0) rows.push(...(await ground.scoped(() => onOverlay(ground, overlay, wanted))));
    }
    return rows;
  });

async function onOverlay(ground: Ground, overlay: Overlay, wanted: readonly OnOverlay[]): Promise<BenchRow[]> {
  const ours = await installed(ground, overlay);
  const rows: BenchRow[] = [];
  for (const { measure } of wanted) rows.push(...(await ground.scoped(() => measure(ground, overlay, ours))));
  return rows;
}
