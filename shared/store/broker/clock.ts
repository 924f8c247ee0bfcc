// The time that deliveries are due by: it starts as the wall clock says, and from there never steps.

/** Milliseconds since 1970. Steps of the wall clock while the process lives change nothing; `wall` is read once. */
export function steadyClock(wall: () => number = Date.now): () => number {
  const start = wall() - performance.now();
  return () => Math.floor(start + performance.now());
}
