// Answers that may lag: while many events come, what is read for each of them is asked for once in so long.

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
