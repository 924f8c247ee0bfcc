// Calls what is not taken back in time. All have the same time, so one timer for the oldest serves them all.

export interface Deadlines {
  add(onDeadline: () => void): void;
  delete(onDeadline: () => void): void;
}

export function createDeadlines(after_ms: number): Deadlines {
  /** In the order they were added, which is the order they come due. */
  const due = new Map<() => void, number>();
  let armed = false;

  const arm = (): void => {
    const first = due.values().next();
    if (armed || first.done) return;
    armed = true;
    setTimeout(fire, Math.max(1, first.value - performance.now())).unref();
  };
  const fire = (): void => {
    armed = false;
    const now = performance.now();
    for (const [onDeadline, at] of due) {
      if (at > now) break;
      due.delete(onDeadline);
      onDeadline();
    }
    arm();
  };

  return {
    add: (onDeadline) => {
      due.set(onDeadline, performance.now() + after_ms);
      arm();
    },
    delete: (onDeadline) => void due.delete(onDeadline),
  };
}
