// npm run chaos [-- --points N] [-- --random N] [-- --seed N]
// Kills the server before and after every call of every port over the whole chain, then at random moments;
// after each it is started again, and the push that was under way must be live, once, with nothing lost.
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KillPoint } from './instrument.ts';
import { createScenario, type Scenario } from './scenario.ts';

const { values } = parseArgs({ options: { points: { type: 'string' }, random: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } } });
const LONGEST_CHAIN_MS = 700;
/** From a broken connection to the exit of its process, at most. */
const EXIT_MS = 300;

const say = (line: string) => process.stderr.write(`${line}\n`);
let passed = 0;
const failures: string[] = [];

/** A kill somewhere, then the server again, then what must hold. */
async function survive(scenario: Scenario, what: string, kill: () => Promise<boolean>): Promise<void> {
  try {
    if (await kill()) await scenario.restart();
    await scenario.server.arm(undefined);
    await scenario.verify();
    passed++;
  } catch (error) {
    const { message, cause } = error as Error;
    failures.push(`${what}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`);
    say(`failed: ${failures.at(-1)}`);
    // The next one begins with a server that stands.
    if (!scenario.server.alive()) await scenario.restart();
  }
}

/** Every call that one undisturbed push makes, before and after. */
async function killPoints(scenario: Scenario): Promise<KillPoint[]> {
  await scenario.server.arm(undefined);
  await scenario.push();
  await scenario.verify();
  const counts = await scenario.server.counts();
  return Object.entries(counts).flatMap(([call, times]) =>
    Array.from({ length: times }, (_, i) => [
      { call, nth: i + 1, moment: 'before' as const },
      { call, nth: i + 1, moment: 'after' as const },
    ]).flat(),
  );
}

async function killAt(scenario: Scenario, point: KillPoint): Promise<boolean> {
  await scenario.server.arm(point);
  await scenario.push();
  // A call that is not reached this time (they are made side by side) kills nothing, and the push must be live all the same.
  const looked = scenario.verify().catch(() => undefined);
  await Promise.race([scenario.server.ended, looked]);
  // What looks whether the push is live may be the very call that kills: it sees the connection break before the exit is told.
  if (scenario.server.alive()) await Promise.race([scenario.server.ended, sleep(EXIT_MS)]);
  return !scenario.server.alive();
}

async function killAfter(scenario: Scenario, delay_ms: number): Promise<boolean> {
  await scenario.push();
  await sleep(delay_ms);
  scenario.server.kill();
  await scenario.server.ended;
  return true;
}

/** Mulberry32: the same seed gives the same moments. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const scenario = await createScenario();
try {
  const all = await killPoints(scenario);
  const wanted = values.points === undefined ? all.length : Number(values.points);
  const random = randomOf(Number(values.seed));
  const points = wanted >= all.length ? all : Array.from({ length: wanted }, () => all[Math.floor(random() * all.length)]!);
  say(`${all.length} kill points in ${new Set(all.map((point) => point.call)).size} methods; trying ${points.length}`);
  for (const point of points) await survive(scenario, `killed ${point.moment} call ${point.nth} of ${point.call}`, () => killAt(scenario, point));
  say(`${passed} survived, ${failures.length} failed; now ${values.random} random moments`);
  for (let i = 0; i < Number(values.random); i++) {
    const delay_ms = Math.floor(random() * LONGEST_CHAIN_MS);
    await survive(scenario, `killed ${delay_ms} ms after the push (number ${i})`, () => killAfter(scenario, delay_ms));
    if (i % 50 === 49) say(`${i + 1} of ${values.random}`);
  }
} finally {
  await scenario.close();
}
for (const failure of failures) say(`✗ ${failure}`);
process.stdout.write(`${passed} passed, ${failures.length} failed, 0 skipped\n`);
process.exitCode = failures.length > 0 ? 1 : 0;
