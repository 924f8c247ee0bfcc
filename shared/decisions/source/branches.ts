// Which branches a project builds. Pure, and in linear time for each pattern: no pattern can make it slow.

/** Whether one of the patterns matches the whole short name; "*" stands for any characters, "/" and none included. */
export function matchesBranch(patterns: readonly string[], branch: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, branch));
}

/** The parts between the stars are looked for from left to right, each where it first occurs: with nothing but "*" that is always right. */
function matchesPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const first = parts.shift()!;
  const last = parts.pop();
  if (last === undefined) return name === first;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
