// Regular expressions of JavaScript as RE2 has them, which is what the API server runs.

/** Throws, naming the place, on what RE2 lacks. */
export function re2(pattern: string, where: string): string {
  if (/\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</.test(pattern)) throw new Error(`${where}: ${pattern} has a look-around or a back reference, which RE2 has not`);
  // To JavaScript every white space of Unicode is \s, to RE2 only that of ASCII; outside of [] there is none in the schemas.
  return pattern.replaceAll(String.raw`\s`, String.raw`\t\n\v\f\r\p{Z}\x{feff}`).replaceAll(/\\u([0-9a-fA-F]{4})/g, String.raw`\x{$1}`);
}
