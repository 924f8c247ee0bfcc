// Wakes the functions that a request will need one after the other, while the first of them is still at work: a hint, never an event.
// Measured in `npm run bench -- cluster`: each function that sleeps costs the chain about a second.
import { type EdgeEntry, edges } from '../graph.ts';
import { functionAddress } from './broker.ts';
import type { Settings } from './settings.ts';

/** Who was asked so recently is on its way, or awake. */
const AGAIN_MS = 10_000;
/** A pod is scheduled and started meanwhile. */
const PATIENCE_MS = 30_000;

/** What it gives is called when a request comes, and costs nothing where nobody sleeps. */
export function createWaker(settings: Settings, edge: keyof typeof edges): () => void {
  const { wakes = [] }: EdgeEntry = edges[edge];
  const address = functionAddress(settings);
  let last = -Infinity;
  return () => {
    const now = performance.now();
    if (settings.broker !== 'knative' || now - last < AGAIN_MS) return;
    last = now;
    for (const name of wakes) void knock(`${address(name)}healthz`);
  };
}

/** Whether it was heard is nobody's business: the event wakes it as well. */
async function knock(url: string): Promise<void> {
  // Not fetch, which is a whole client to load at the very moment that counts.
  const { get } = process.getBuiltinModule('node:http');
  await new Promise<void>((resolve) => {
    const asked = get(url, { timeout: PATIENCE_MS, agent: false }, (response) => response.resume().on('close', resolve));
    // Asleep for longer than anybody waits, or not there: then its event finds that out, and says so.
    asked.on('timeout', () => asked.destroy()).on('error', () => resolve());
  });
}
