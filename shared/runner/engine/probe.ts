// Readiness of a sidecar, asked from outside: by HTTP or by a TCP connection.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Probe } from '../task/spec.ts';

/** Resolves when the probe succeeds, or the signal says that nobody waits any more. Throws when it failed too often. */
export async function untilReady(name: string, probe: Probe, exec: (command: string[]) => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const period = (probe.periodSeconds ?? 10) * 1000;
  const threshold = probe.successThreshold ?? 1;
  await sleep((probe.initialDelaySeconds ?? 0) * 1000, undefined, { signal }).catch(() => undefined);
  for (let good = 0; !signal.aborted;) {
    good = (await ask(probe, exec, signal)) ? good + 1 : 0;
    if (good >= threshold) return;
    // Asked again sooner than Kubernetes does: a local process is ready in no time, and nobody likes to wait ten seconds for it.
    await sleep(good ? 50 : Math.min(period, 250), undefined, { signal }).catch(() => undefined);
  }
  throw new Error(`sidecar ${name} did not become ready`);
}

async function ask(probe: Probe, exec: (command: string[]) => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout((probe.timeoutSeconds ?? 1) * 1000)]);
  if (probe.exec) return exec(probe.exec.command);
  if (probe.tcpSocket) return reachable(probe.tcpSocket.host ?? '127.0.0.1', Number(probe.tcpSocket.port), limit);
  const { scheme = 'http', host = '127.0.0.1', port, path = '/' } = probe.httpGet!;
  try {
    const answer = await fetch(`${scheme.toLowerCase()}://${host}:${port}${path}`, { signal: limit, redirect: 'manual' });
    await answer.body?.cancel();
    return answer.status >= 200 && answer.status < 400;
  } catch {
    return false; // not up yet: that is what is being asked
  }
}

function reachable(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (up: boolean) => {
      signal.removeEventListener('abort', give);
      socket.destroy();
      resolve(up);
    };
    const give = () => settle(false);
    signal.addEventListener('abort', give, { once: true });
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
