// Values by their path, without changing what they are in.

export type Path = readonly (string | number)[];

/** A copy of `whole` with `value` at the path; undefined takes it away. */
export function withValue(whole: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (typeof key === 'number') {
    const list = Array.isArray(whole) ? [...(whole as unknown[])] : [];
    list[key] = withValue(list[key], rest, value);
    return list;
  }
  const object = { ...(whole as Record<string, unknown> | undefined) };
  const inner = withValue(object[key], rest, value);
  if (inner === undefined) delete object[key];
  else object[key] = inner;
  return object;
}

/** What stands at the path; undefined where nothing does. */
export function valueAt(whole: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], whole);
}
