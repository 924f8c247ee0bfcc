// $(…) substitution: one pass over the text, so that a value is never looked into again by the same pass.

export interface Replacements {
  /** Without "$(" and ")". */
  strings: ReadonlyMap<string, string>;
  /** Arrays that may stand for a whole argument, by the same names without "[*]". */
  arrays: ReadonlyMap<string, readonly string[]>;
  objects: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

export const NOTHING: Replacements = { strings: new Map(), arrays: new Map(), objects: new Map() };

export function onlyStrings(strings: ReadonlyMap<string, string>): Replacements {
  return { ...NOTHING, strings };
}

/** The text with every known variable replaced; unknown ones stay as they are. */
export function substitute(text: string, strings: ReadonlyMap<string, string>): string {
  let from = text.indexOf('$(');
  if (from < 0) return text;
  let out = '';
  let done = 0;
  while (from >= 0) {
    const end = text.indexOf(')', from);
    if (end < 0) break;
    const value = strings.get(text.slice(from + 2, end));
    if (value === undefined) {
      from = text.indexOf('$(', from + 2);
      continue;
    }
    out += text.slice(done, from) + value;
    done = end + 1;
    from = text.indexOf('$(', done);
  }
  return out + text.slice(done);
}

/** As `substitute`, but text that is nothing but an array's variable becomes its elements. */
export function substituteArgument(text: string, by: Replacements): string[] {
  const whole = wholeReference(text);
  const array = whole === undefined ? undefined : by.arrays.get(whole);
  return array ? [...array] : [substitute(text, by.strings)];
}

/** The name in text that is exactly one $(name) or $(name[*]). */
export function wholeReference(text: string): string | undefined {
  if (!text.startsWith('$(') || text.indexOf(')') !== text.length - 1) return undefined;
  const name = text.slice(2, -1);
  return name.endsWith('[*]') ? name.slice(0, -3) : name;
}

/** The ways to write the variable `name` of a family: family.name, family["name"], family['name']. */
export function spellings(family: string, name: string): string[] {
  return [`${family}.${name}`, `${family}[${JSON.stringify(name)}]`, `${family}['${name}']`];
}
