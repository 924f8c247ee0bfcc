// What a module imports, in every way that TypeScript has for it.
import { dirname, join } from 'node:path/posix';
import { parseSync } from 'oxc-parser';

/** `import(…)` in the place of a type, which the parser's list of imports leaves out. */
const TYPE_IMPORT = /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g;

/** The specifiers a module names: imports, re-exports, dynamic imports and types, each once. Throws when it cannot be parsed. */
export function specifiers(file: string, code: string): string[] {
  const { module, errors } = parseSync(file, code);
  if (errors[0]) throw new Error(`${file} cannot be parsed: ${errors[0].message}`);
  const found = new Set<string>();
  for (const entry of module.staticImports) found.add(entry.moduleRequest.value);
  for (const entry of module.staticExports.flatMap((e) => e.entries)) if (entry.moduleRequest) found.add(entry.moduleRequest.value);
  for (const match of code.matchAll(TYPE_IMPORT)) found.add(match[2] ?? '');
  return [...found];
}

/** A relative specifier as a path from the root; any other (a package, node:…) as it is. */
export function resolveSpecifier(file: string, specifier: string): string {
  return specifier.startsWith('.') ? join(dirname(file), specifier) : specifier;
}
