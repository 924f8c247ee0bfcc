// How long a start takes on kept state, and what an idle server takes of memory.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataPaths } from '../../shared/host/machine/data-folder.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { openStore } from '../../shared/store/store.ts';
import { send } from '../support/machine.ts';
import { median } from './figures.ts';
import type { RunBench } from './row.ts';
import { startServerProcess } from './server.ts';

const EXECUTIONS = 10_000;
const RUNS = 9;
const SETTLE_MS = 5_000;
const MEMORY_LIMIT_MB = 120;

export const run: RunBench = async (log) => {
  const data = mkdtempSync(join(tmpdir(), 'tidemill-bench-start-'));
  try {
    log(`keeping ${EXECUTIONS} executions`);
    await keepExecutions(data);
    const ours: number[] = [];
    const ready: number[] = [];
    const theirs: number[] = [];
    const idle: number[] = [];
    const used: number[] = [];
    for (let round = 0; round <= RUNS; round += 1) {
      const bare = bareNode();
      const server = await startServerProcess(data);
      const last = round === RUNS;
      if (last) {
        await sleep(SETTLE_MS);
        idle.push(server.rss_mb());
        for (const path of ['/api/v1/projects', '/api/v1/projects/kept/executions'])
          await send(server.port, 'GET', path, { authorization: `Bearer ${server.token}` });
        await sleep(SETTLE_MS);
        used.push(server.rss_mb());
      }
      await server.stop();
      // The first round fills the caches of the file system and of compiled code.
      if (round > 0) {
        ours.push(server.started_ms);
        ready.push(server.ready_ms);
        theirs.push(bare);
      }
      log(`round ${round}: ${server.started_ms.toFixed(0)} ms against ${bare.toFixed(0)} ms`);
    }
    const ratio = median(ours) / median(theirs);
    const memory = (what: string, mb: number) => ({
      bench: 'start',
      what,
      ours: mb,
      peer: 'the limit',
      theirs: MEMORY_LIMIT_MB,
      unit: 'MB',
      ratio: mb / MEMORY_LIMIT_MB,
      target: '< 1',
      ok: mb < MEMORY_LIMIT_MB,
    });
    return [
      {
        bench: 'start',
        what: `spawn of the server's own process to its first answer, which is that of /healthz, ${EXECUTIONS.toLocaleString('en-US')} executions kept`,
        ours: median(ours),
        peer: 'node -e 0',
        theirs: median(theirs),
        unit: 'ms',
        ratio,
        target: '<= 4',
        ok: ratio <= 4,
        note: `medians of ${RUNS}`,
      },
      {
        bench: 'start',
        what: 'the same until /readyz says ready: from then on it serves sites and the API, which wait until then',
        ours: median(ready),
        peer: 'node -e 0',
        theirs: median(theirs),
        unit: 'ms',
        ratio: median(ready) / median(theirs),
        target: 'reported',
        ok: true,
        note: `medians of ${RUNS}`,
      },
      memory('resident when idle after a start', median(idle)),
      memory('resident when idle after answering the API', median(used)),
    ];
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
};

function bareNode(): number {
  const begin = performance.now();
  const { status } = spawnSync(execPath, ['-e', '0']);
  if (status !== 0) throw new Error(`node -e 0 ended with ${status}`);
  return performance.now() - begin;
}

/** Finished executions of one project, as the years leave them. */
async function keepExecutions(data: string): Promise<void> {
  const paths = dataPaths(data);
  mkdirSync(paths.root, { recursive: true });
  const store = openStore(paths.database);
  const namespace = 'default';
  const sha = 'a'.repeat(40);
  await store.objects.create({ kind: 'Project', metadata: { namespace, name: 'kept' }, spec: { source: { url: join(data, 'gone') }, paused: true } });
  const at = new Date().toISOString();
  for (let from = 1; from <= EXECUTIONS; from += 500) {
    const batch = Array.from({ length: 500 }, (_, index) => from + index);
    await Promise.all(
      batch.map((number) =>
        store.objects.create({
          kind: 'Execution',
          metadata: { namespace, name: `kept-main-${number}`, labels: { [LABEL.project]: 'kept', [LABEL.lane]: 'kept-main' } },
          spec: { project: 'kept', lane: 'kept-main', number, ref: 'refs/heads/main', sha, trigger: 'webhook', source: `kept-git-${number}` },
          status: { phase: 'Succeeded', sha, subject: `Change ${number}`, started: at, ended: at, stages: [] },
        }),
      ),
    );
  }
  await store.close();
}
