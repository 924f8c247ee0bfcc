import { expect, test } from 'vitest';
import * as graph from '../../functions/graph.ts';
import { eventData } from '../../shared/events/types.ts';
import { readSchedule } from '../../shared/ticks/schedule.ts';
import { cycles, folderGaps, looseEnds, looseTicks, unmarkedCycles } from './wiring.ts';
import type { Wiring } from './wiring.ts';

const chain = (change: Partial<Wiring> = {}): Wiring => ({
  functions: {
    first: { consumes: ['asked'], emits: ['half'], needs: [] },
    second: { consumes: ['half'], emits: ['done'], needs: [] },
  },
  edges: { door: { emits: ['asked'] } },
  runnerEmits: [],
  clockEmits: [],
  ticks: {},
  publicTypes: ['done'],
  knownCycles: [],
  ...change,
});
const types = ['asked', 'half', 'done'];

test('a chain whose ends meet has nothing to say', () => {
  expect([...looseEnds(chain(), types), ...unmarkedCycles(chain())]).toEqual([]);
});

test('an emitted type that nobody consumes and that is not public is found', () => {
  expect(looseEnds(chain({ publicTypes: [] }), types)).toEqual([expect.stringMatching(/^done is emitted/)]);
});

test('a consumed type that nobody emits is found', () => {
  expect(looseEnds(chain({ edges: {} }), types)).toEqual([expect.stringMatching(/^asked is consumed/)]);
});

test('a public type that nobody emits, and a schema without a place, are found', () => {
  expect(looseEnds(chain({ publicTypes: ['done', 'gone'] }), [...types, 'spare'])).toEqual([
    expect.stringMatching(/^gone is public/),
    expect.stringMatching(/^spare has a schema/),
  ]);
});

const timed = (ticks: Wiring['ticks'], emits: string[] = []) =>
  chain({
    functions: { ...chain().functions, cleaner: { consumes: ['tick'], emits: [], needs: [] } },
    edges: { door: { emits: ['asked', ...emits] } },
    clockEmits: ['tick'],
    ticks,
  });

test('a tick comes from the clock, and goes to whom it is for', () => {
  const wiring = timed({ cleaner: { schedule: '17 * * * *' } });
  expect([...looseEnds(wiring, [...types, 'tick']), ...looseTicks(wiring), ...unmarkedCycles(wiring)]).toEqual([]);
});

test('a function that takes ticks and has none, one that has some and takes none, and whoever plays the clock are found', () => {
  expect(looseTicks(timed({}))).toEqual([expect.stringMatching(/^cleaner takes ticks, but has none/)]);
  expect(looseTicks(timed({ cleaner: { schedule: '17 * * * *' }, first: { schedule: '0 0 * * *' } }))).toEqual([
    expect.stringMatching(/^first has ticks, but does not take them/),
  ]);
  expect(looseTicks(timed({ cleaner: { schedule: '17 * * * *' } }, ['tick']))).toEqual([expect.stringMatching(/^door emits ticks/)]);
  expect(looseEnds(chain({ clockEmits: ['tick'] }), types)).toEqual([expect.stringMatching(/^tick is emitted, but nobody consumes it/)]);
});

const turning = (change: Partial<Wiring> = {}) =>
  chain({
    functions: { first: { consumes: ['asked', 'again'], emits: ['half'], needs: [] }, second: { consumes: ['half'], emits: ['again', 'done'], needs: [] } },
    ...change,
  });

test('an unmarked cycle is found, and a marked one is not', () => {
  expect(unmarkedCycles(turning())).toEqual([expect.stringContaining('first → second → first')]);
  expect(unmarkedCycles(turning({ knownCycles: [{ through: ['second', 'first'], ends: 'after one turn' }] }))).toEqual([]);
});

test('a mark on no cycle is found', () => {
  expect(unmarkedCycles(chain({ knownCycles: [{ through: ['first', 'second'], ends: 'long ago' }] }))).toEqual([expect.stringContaining('no cycle any more')]);
});

test('a cycle that goes through the runner is found', () => {
  const wiring = chain({ functions: { worker: { consumes: ['ended'], emits: [], needs: ['runner'] } }, runnerEmits: ['ended'] });
  expect(unmarkedCycles(wiring)).toEqual([expect.stringContaining('runner → worker → runner')]);
});

test('each elementary cycle is found once', () => {
  const next = new Map([
    ['a', ['b', 'c']],
    ['b', ['c', 'a']],
    ['c', ['a', 'c']],
  ]);
  expect(cycles(next).map((cycle) => cycle.join(''))).toEqual(['abc', 'ab', 'ac', 'c']);
});

test('a missing handler, test, README and a folder that is not in the graph are found', () => {
  const whole = ['first', 'second'].flatMap((name) => ['handler.ts', 'handler.test.ts', 'README.md'].map((file) => `functions/${name}/${file}`));
  const door = ['functions/door/listen.test.ts', 'functions/door/README.md'];
  expect(folderGaps(chain(), [...whole, ...door, 'functions/one-machine/compose.ts'])).toEqual([]);
  for (const missing of [...whole, ...door]) {
    const rest = [...whole, ...door].filter((file) => file !== missing);
    expect(folderGaps(chain(), rest), missing).toHaveLength(1);
  }
  expect(folderGaps(chain(), [...whole, ...door, 'functions/stray/handler.ts'])).toEqual(['functions/stray/ is not in functions/graph.ts']);
});

test("the project's own graph holds", () => {
  expect(looseEnds(graph, Object.keys(eventData))).toEqual([]);
  expect(looseTicks(graph)).toEqual([]);
});

test.each(Object.entries(graph.ticks))('%s is due at some time, and not every minute: it may sleep', (_name, { schedule }) => {
  const { next } = readSchedule(schedule);
  const first = next(Date.UTC(2026, 0))!;
  expect(next(first)! - first).toBeGreaterThan(60_000);
});

test('whoever is woken early is on the way from where it is woken', () => {
  for (const { wakes = [], emits } of Object.values<graph.EdgeEntry>(graph.edges)) {
    let types: readonly string[] = emits;
    for (const name of wakes) {
      const next = graph.functions[name as graph.FunctionName];
      expect(next.consumes.some((type) => types.includes(type))).toBe(true);
      types = next.emits;
    }
  }
});
