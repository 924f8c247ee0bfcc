// What must hold of the graph: every event is heard or meant for others, every cycle is known to end, every function has its folder.
export interface Wiring {
  functions: Readonly<Record<string, { consumes: readonly string[]; emits: readonly string[]; needs: readonly string[] }>>;
  edges: Readonly<Record<string, { emits: readonly string[] }>>;
  runnerEmits: readonly string[];
  clockEmits: readonly string[];
  /** By the function that the clock wakes. */
  ticks: Readonly<Record<string, { schedule: string }>>;
  publicTypes: readonly string[];
  knownCycles: readonly { through: readonly string[]; ends: string }[];
}

/** A sentence for each type that goes nowhere, comes from nowhere, or has a schema and no place in the graph. */
export function looseEnds(wiring: Wiring, schemas: readonly string[]): string[] {
  const emitted = new Set([...wiring.runnerEmits, ...wiring.clockEmits, ...emittersOf(wiring).flatMap((e) => e.emits)]);
  const consumed = new Set(Object.values(wiring.functions).flatMap((f) => f.consumes));
  const open = new Set(wiring.publicTypes);
  return [
    ...[...emitted].filter((type) => !consumed.has(type) && !open.has(type)).map((type) => `${type} is emitted, but nobody consumes it and it is not public`),
    ...[...consumed].filter((type) => !emitted.has(type)).map((type) => `${type} is consumed, but nobody emits it`),
    ...[...open].filter((type) => !emitted.has(type)).map((type) => `${type} is public, but nobody emits it`),
    ...schemas.filter((type) => !emitted.has(type) && !consumed.has(type)).map((type) => `${type} has a schema, but nobody emits or consumes it`),
  ];
}

function emittersOf(wiring: Wiring): { emits: readonly string[] }[] {
  return [...Object.values(wiring.functions), ...Object.values(wiring.edges)];
}

/** A sentence for each function that takes ticks and has none, or has them and does not take them, and for whoever plays the clock. */
export function looseTicks({ functions, edges, clockEmits, ticks }: Wiring): string[] {
  const isTick = (type: string) => clockEmits.includes(type);
  const names = Object.entries(functions).flatMap(([name, f]) => (f.consumes.some(isTick) ? [name] : []));
  return [
    ...names.filter((name) => !(name in ticks)).map((name) => `${name} takes ticks, but has none: say in ticks when it is due`),
    ...Object.keys(ticks)
      .filter((name) => !names.includes(name))
      .map((name) => `${name} has ticks, but does not take them: it has to consume ${clockEmits.join(', ')}`),
    ...[...Object.entries(functions), ...Object.entries(edges)]
      .filter(([, { emits }]) => emits.some(isTick))
      .map(([name]) => `${name} emits ticks, which only the clock does`),
  ];
}

/** Who may be woken by whom. The runner stands in it too: whoever needs it can start work whose end is an event. Nobody wakes the clock, so no cycle goes through it. */
export function successors(wiring: Wiring): Map<string, string[]> {
  const listening = (types: readonly string[]) =>
    Object.entries(wiring.functions).flatMap(([name, f]) => (f.consumes.some((type) => types.includes(type)) ? [name] : []));
  const next = new Map<string, string[]>([['runner', listening(wiring.runnerEmits)]]);
  for (const [name, f] of Object.entries(wiring.functions)) {
    next.set(name, [...listening(f.emits), ...(f.needs.includes('runner') ? ['runner'] : [])]);
  }
  return next;
}

/** Every elementary cycle, each beginning with its first name in the alphabet. */
export function cycles(next: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const walk = (start: string, path: string[]) => {
    for (const to of next.get(path.at(-1) ?? start) ?? []) {
      if (to === start) found.push(path);
      else if (to > start && !path.includes(to)) walk(start, [...path, to]);
    }
  };
  for (const start of next.keys()) walk(start, [start]);
  return found;
}

/** A sentence for each cycle that nobody marked as meant, and for each mark that no cycle has. */
export function unmarkedCycles(wiring: Wiring): string[] {
  const key = (names: readonly string[]) => names.toSorted().join(' ');
  const found = cycles(successors(wiring));
  const marks = new Set(wiring.knownCycles.map((known) => key(known.through)));
  const real = new Set(found.map(key));
  return [
    ...found
      .filter((cycle) => !marks.has(key(cycle)))
      .map((cycle) => `cycle ${[...cycle, cycle[0]].join(' → ')} is not in knownCycles: say there what ends it`),
    ...wiring.knownCycles
      .filter((known) => !real.has(key(known.through)))
      .map((known) => `knownCycles has ${known.through.join(', ')}, which is no cycle any more`),
  ];
}

/** Folders in functions/ that are no function: what composes them. */
const NOT_FUNCTIONS = ['one-machine', 'in-cluster'];

/** A sentence for each function without its handler, test or README, and for each folder that the graph does not know. */
export function folderGaps(wiring: Wiring, files: readonly string[]): string[] {
  const inside = (name: string) => files.filter((file) => file.startsWith(`functions/${name}/`)).map((file) => file.slice(`functions/${name}/`.length));
  const missing = (name: string, what: string, has: (file: string) => boolean) => (inside(name).some(has) ? [] : [`functions/${name}/ has no ${what}`]);
  const both = (name: string) => [
    ...missing(name, '*.test.ts', (file) => file.endsWith('.test.ts')),
    ...missing(name, 'README.md', (file) => file === 'README.md'),
  ];
  const known = new Set([...Object.keys(wiring.functions), ...Object.keys(wiring.edges), ...NOT_FUNCTIONS]);
  const folders = new Set(files.flatMap((file) => /^functions\/([^/]+)\//.exec(file)?.[1] ?? []));
  return [
    ...Object.keys(wiring.functions).flatMap((name) => [...missing(name, 'handler.ts', (file) => file === 'handler.ts'), ...both(name)]),
    ...Object.keys(wiring.edges).flatMap(both),
    ...[...folders].filter((name) => !known.has(name)).map((name) => `functions/${name}/ is not in functions/graph.ts`),
  ];
}
