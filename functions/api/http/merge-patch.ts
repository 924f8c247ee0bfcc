// JSON merge patch, RFC 7396. https://www.rfc-editor.org/rfc/rfc7396

/** `target` with `patch` laid over it; null takes a member away. Neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isPlain(patch)) return patch;
  const members = new Map<string, unknown>(isPlain(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) members.delete(key);
    else members.set(key, mergePatch(members.get(key), value));
  }
  // fromEntries defines members and never assigns, so "__proto__" is a member like any other.
  return Object.fromEntries(members);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
