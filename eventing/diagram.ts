// The data flow as a mermaid flowchart: who wakes whom, with the event types on the arrows.
import { clockEmits, edges, functions, runnerEmits, type TickEntry, ticks } from '../functions/graph.ts';

/** A listener to this many functions would draw an arrow from everywhere: its arrows are dotted and bear no names. */
const LISTENS_TO_MANY = 4;

const TICK: string = clockEmits[0];
const tekton = /^dev\.tekton\.event\.(.+)\.v\d+$/;

/** dev.tidemill.artifact.requested.v1 → artifact.requested */
export function shortName(type: string): string {
  if (type === TICK) return 'tick';
  return tekton.exec(type)?.[1] ?? type.replace(/^dev\.tidemill\./, '').replace(/\.v\d+$/, '');
}

interface Arrow {
  from: string;
  to: string;
  types: string[];
}

function emitters(): [string, readonly string[]][] {
  const own = [...Object.entries(edges), ...Object.entries(functions)].map(([name, f]): [string, readonly string[]] => [name, f.emits]);
  return [...own, ['runner', runnerEmits]];
}

/** The clock wakes each function at its own times. */
function clockArrows(): Arrow[] {
  return Object.entries<TickEntry>(ticks).map(([to, { schedule }]) => ({ from: 'clock', to, types: [shortName(TICK), schedule] }));
}

/** One arrow for each pair of which one emits what the other consumes. */
export function arrows(): Arrow[] {
  return emitters().flatMap(([from, emits]) =>
    Object.entries(functions).flatMap(([to, f]) => {
      const types = emits.filter((type) => f.consumes.some((consumed) => consumed === type));
      return types.length > 0 ? [{ from, to, types: types.map(shortName) }] : [];
    }),
  );
}

/** The way of a push, which is what a reader wants to see first. Each pair has to be in the graph. */
const ROAD: readonly [string, string][] = [
  ['github-webhook', 'git-push'],
  ['repository-watch', 'git-push'],
  ['git-push', 'artifact-requested'],
  ['artifact-requested', 'artifact-resolved'],
  ['artifact-resolved', 'runner'],
  ['runner', 'taskrun-finished'],
  ['taskrun-finished', 'artifact-resolved'],
  ['artifact-resolved', 'release-requested'],
  ['release-requested', 'site'],
  ['release-requested', 'hook-dispatch'],
  ['hook-dispatch', 'hook-delivery'],
  ['taskrun-finished', 'lane-advance'],
  ['lane-advance', 'execution-admitted'],
  ['execution-admitted', 'runner'],
];

/** The lines between ```mermaid and ```: the road of a push. Throws where the graph has no such way any more. */
export function road(): string {
  const all = [...arrows(), ...work()];
  const lines = ROAD.map(([from, to]) => {
    const arrow = all.find((one) => one.from === from && one.to === to);
    if (!arrow) throw new Error(`The road of a push goes from ${from} to ${to}, but the graph does not: mend ROAD in eventing/diagram.ts`);
    return line(arrow);
  });
  return chart('TB', new Set(ROAD.flat()), lines);
}

/** All of the graph. */
export function diagram(): string {
  const all = arrows();
  const many = new Set(Object.keys(functions).filter((name) => all.filter((arrow) => arrow.to === name).length >= LISTENS_TO_MANY));
  return chart('LR', new Set([...Object.keys(edges), ...Object.keys(functions), 'runner', 'clock']), [
    ...[...all, ...work(), ...clockArrows()].filter((arrow) => !many.has(arrow.to)).map(line),
    ...all.filter((arrow) => many.has(arrow.to)).map((arrow) => `  ${arrow.from} -.-> ${arrow.to}`),
  ]);
}

/** What is no event: handing work to the runner, and the pointer that a site is served by. */
function work(): Arrow[] {
  const starters = Object.entries(functions).flatMap(([name, f]) => (f.needs.some((port) => port === 'runner') ? [name] : []));
  return [...starters.map((from) => ({ from, to: 'runner', types: ['TaskRun'] })), { from: 'release-requested', to: 'site', types: ['moves the pointer'] }];
}

function line({ from, to, types }: Arrow): string {
  const label = `"${types.join('<br/>')}"`;
  if (to === 'runner') return `  ${from} == ${label} ==> ${to}`;
  return to === 'site' ? `  ${from} -. ${label} .-> ${to}` : `  ${from} -- ${label} --> ${to}`;
}

function chart(direction: 'LR' | 'TB', names: ReadonlySet<string>, lines: readonly string[]): string {
  const http = Object.keys(edges).filter((name) => names.has(name));
  return [
    `flowchart ${direction}`,
    ...http.map((name) => `  ${name}(["${name}"])`),
    ...Object.keys(functions).flatMap((name) => (names.has(name) ? [`  ${name}["${name}"]`] : [])),
    '  runner[["runner"]]',
    ...(names.has('clock') ? ['  clock(("clock"))'] : []),
    ...lines,
    '  classDef http fill:#0b7285,stroke:#0b7285,color:#fff',
    '  classDef work fill:#c2410c,stroke:#c2410c,color:#fff',
    `  class ${http.join(',')} http`,
    '  class runner work',
  ].join('\n');
}
