// The data flow as a mermaid flowchart: who wakes whom, with the event types on the arrows.
import { edges, functions, runnerEmits } from '../functions/graph.ts';

/** A listener to this many functions would draw an arrow from everywhere: its arrows are dotted and bear no names. */
const LISTENS_TO_MANY = 4;

const tekton = /^dev\.tekton\.event\.(.+)\.v\d+$/;

/** dev.tidemill.artifact.requested.v1 → artifact.requested */
export function shortName(type: string): string {
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

/** One arrow for each pair of which one emits what the other consumes. */
export function arrows(): Arrow[] {
  return emitters().flatMap(([from, emits]) =>
    Object.entries(functions).flatMap(([to, f]) => {
      const types = emits.filter((type) => f.consumes.some((consumed) => consumed === type));
      return types.length > 0 ? [{ from, to, types: types.map(shortName) }] : [];
    }),
  );
}

/** The lines between ```mermaid and ```. */
export function diagram(): string {
  const all = arrows();
  const many = new Set(Object.keys(functions).filter((name) => all.filter((arrow) => arrow.to === name).length >= LISTENS_TO_MANY));
  const node = (name: string, shape: [string, string]) => `  ${name}${shape[0]}"${name}"${shape[1]}`;
  return [
    'flowchart LR',
    ...Object.keys(edges).map((name) => node(name, ['([', '])'])),
    ...Object.keys(functions).map((name) => node(name, ['[', ']'])),
    '  runner[["runner"]]',
    ...all.filter((arrow) => !many.has(arrow.to)).map((arrow) => `  ${arrow.from} -- "${arrow.types.join('<br/>')}" --> ${arrow.to}`),
    ...starts().map((name) => `  ${name} == "TaskRun" ==> runner`),
    ...all.filter((arrow) => many.has(arrow.to)).map((arrow) => `  ${arrow.from} -.-> ${arrow.to}`),
    `  release-requested -. "moves the pointer" .-> site`,
    `  classDef http fill:#0b7285,stroke:#0b7285,color:#fff`,
    `  classDef work fill:#e8590c,stroke:#e8590c,color:#fff`,
    `  class ${Object.keys(edges).join(',')} http`,
    '  class runner work',
  ].join('\n');
}

/** Functions that hand work to the runner. */
function starts(): string[] {
  return Object.entries(functions).flatMap(([name, f]) => (f.needs.some((port) => port === 'runner') ? [name] : []));
}
