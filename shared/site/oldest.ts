// Of projects with one name, in several namespaces: which of them has the short address.

/** The namespace of the one that was made first; of two that are as old as each other, the first by name. `homes`: namespace and time of creation (RFC 3339). */
export function oldestHome(homes: Iterable<readonly [namespace: string, created: string]>): string | undefined {
  let first: readonly [namespace: string, created: string] | undefined;
  for (const each of homes) if (!first || each[1] < first[1] || (each[1] === first[1] && each[0] < first[0])) first = each;
  return first?.[0];
}
