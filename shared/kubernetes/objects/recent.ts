// Answers that may lag: while many events come, what is read for each of them is asked for once in so long.
import type { Kind, Obj } from '../../objects/kinds.ts';
import type { ListOptions, Page } from '../../ports/objects.ts';

const RECENT_MS = 200;
const MAX_RECENT = 200;

/** The same question again, within moments of the last, has the same answer. What is handed out is everybody's: nobody changes it. `undefined` is no answer. */
export function createRecent<Question extends readonly unknown[], Answer>(
  ask: (...question: Question) => Promise<Answer>,
): (...question: Question) => Promise<Answer> {
  const recent = new Map<string, { asked: number; answer: Promise<Answer> }>();
  return (...question) => {
    const key = JSON.stringify(question);
    const now = performance.now();
    const there = recent.get(key);
    if (there && now - there.asked < RECENT_MS) return there.answer;
    const answer = ask(...question);
    if (recent.size >= MAX_RECENT) recent.clear();
    recent.set(key, { asked: now, answer });
    answer.then(
      (found) => found === undefined && recent.delete(key),
      () => recent.delete(key),
    );
    return answer;
  };
}

type List = (kind: Kind, options: ListOptions) => Promise<Page<Obj>>;

/** Mostly a handful in a namespace, and read for each event by one label and by another. */
const FEW: ReadonlySet<Kind> = new Set(['Hook']);
const MOST_OF_FEW = 100;
/** So long a namespace with more than that is known to have them. */
const MANY_MS = 60_000;

/**
 * Lists that may lag. Of a kind that is few all of a namespace are asked for at once, as the API server looks at all of them for each label that it is asked
 * for anyway; where there are more, those with the labels alone.
 */
export function createRecentList(list: List): List {
  const recent = createRecent(list);
  const many = new Map<string, number>();
  return async (kind, options) => {
    const { namespace, labels, order, continue: token, limit } = options;
    if (!FEW.has(kind) || namespace === undefined || !labels || order || token !== undefined || limit !== undefined) return recent(kind, options);
    const key = `${kind} ${namespace}`;
    if (performance.now() < (many.get(key) ?? 0)) return recent(kind, options);
    const all = await recent(kind, { namespace, mayLag: true });
    if (!all.continue && all.items.length <= MOST_OF_FEW) return { ...all, items: all.items.filter(({ metadata }) => carries(metadata.labels, labels)) };
    if (many.size >= MAX_RECENT) many.clear();
    many.set(key, performance.now() + MANY_MS);
    return recent(kind, options);
  };
}

function carries(there: Record<string, string> = {}, wanted: Record<string, string>): boolean {
  return Object.entries(wanted).every(([name, value]) => Object.hasOwn(there, name) && there[name] === value);
}
