// Cluster: the chain on a real cluster, from a signed push to its TaskRun and back, against a bare client, Tekton Triggers, NATS and `node -e 0`.
// Needs the environment of the cluster's tests (test/cluster/env.ts). Each overlay is installed once for all the rows that need it.
import type { Overlay } from '../cluster/chain/installation.ts';
import { type Ground, onGround } from './cluster/ground.ts';
import { installed, type Installed } from './cluster/installed.ts';
import type { RowName } from './cluster/names.ts';
import { taskRunRows } from './cluster/rows/taskrun.ts';
import { bringTektonBack } from './cluster/tekton.ts';
import type { BenchRow, RunBench } from './row.ts';

interface OnOverlay {
  row: RowName;
  overlays: readonly Overlay[];
  measure: (ground: Ground, overlay: Overlay, ours: Installed) => Promise<BenchRow[]>;
}

const ON_OVERLAY: readonly OnOverlay[] = [{ row: 'taskrun', overlays: ['jetstream', 'knative'], measure: taskRunRows }];

export const run: RunBench = (log, words = []) =>
  onGround(log, async (ground) => {
    await bringTektonBack(ground);
    const rows: BenchRow[] = [];
    for (const overlay of ['jetstream', 'knative'] as const) {
      const wanted = ON_OVERLAY.filter(({ row, overlays }) => (words.length === 0 || words.includes(row)) && overlays.includes(overlay));
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
