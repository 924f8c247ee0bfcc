// What goes wrong: pods that are killed or evicted, an API server that is away, a store that fails.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { kubectl } from '../chain/installation.ts';
import { fromEnv } from '../env.ts';
import type { Fault, FaultProxy } from '../s3/proxy.ts';
import { tryKubectl } from './kubectl.ts';

/** Nobody reaches the API server for so long. */
export async function pauseApiServer(seconds: number): Promise<void> {
  const child = spawn('sh', ['-c', fromEnv('TIDEMILL_TEST_APISERVER_PAUSE'), 'pause', String(seconds)], { stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`TIDEMILL_TEST_APISERVER_PAUSE ended with ${code}`);
}

/** As when their nodes are lost. How many there were. */
export async function killPods(namespace: string, ...pods: string[]): Promise<number> {
  const said = await kubectl('-n', namespace, 'delete', 'pod', ...pods, '--grace-period=0', '--force', '--wait=false', '-o', 'name');
  return said.split('\n').filter((line) => line !== '').length;
}

/** As `kubectl drain` does it. False: there is no such pod, or it may not go yet. */
export async function evict(namespace: string, pod: string): Promise<boolean> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
  const { ok } = await tryKubectl(['create', '--raw', `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`, '-f', '-'], JSON.stringify(eviction));
  return ok;
}

const FAULTS: (Fault | undefined)[] = [
  { answer: 500, code: 'InternalError' },
  { answer: 503, code: 'SlowDown' },
  { cutRequest: 0 },
  'lose-answer',
  { answer: 503, code: 'SlowDown' },
  { cutAnswer: 0 },
  undefined,
];

/** Of seven requests one is answered, for so long. How many were not. */
export async function failStore(proxy: FaultProxy, during_ms: number): Promise<number> {
  let requests = 0;
  let failed = 0;
  proxy.decide = () => {
    const fault = FAULTS[requests++ % FAULTS.length];
    if (fault) failed += 1;
    return fault;
  };
  await sleep(during_ms);
  proxy.heal();
  return failed;
}
