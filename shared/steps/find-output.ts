// Finds the folder that a build left the site in.
import { readdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, normalize, relative, sep } from 'node:path';

/** Looked at in this order when nothing is configured. */
const USUAL = ['dist', 'build', 'out', 'public'];

export interface Found {
  /** The front end's folder; absolute, with no link in it, as is `folder`. */
  base: string;
  folder: string;
  /** As the output is called: relative to `base`, "." for itself. */
  name: string;
}

/**
 * `workspace`: what nothing may lead out of; `directory`: the front end's folder below it. A configured output has to be there; else the
 * first usual one with a page in it, an index.html before any other. Throws an error that names what was looked for.
 */
export async function findOutput(workspace: string, directory = '.', configured?: string): Promise<Found> {
  if (!(await isFolder(join(workspace, directory))))
    throw new Error(`There is no folder "${directory}" in the repository; set "directory" to the folder of the front end`);
  const base = await inside(workspace, join(workspace, directory), directory);
  const where = directory === '.' ? 'the repository' : `"${directory}"`;
  const name = configured ?? (await findUsual(base, where));
  if (configured !== undefined && !(await isFolder(join(base, name))))
    throw new Error(`The build left no folder "${name}" in ${where}. ${await whatIsThere(base)} Correct "output", or the build.`);
  return { base, folder: await inside(workspace, join(base, name), name), name: normalize(name).replace(/\/$/, '') };
}

async function findUsual(base: string, where: string): Promise<string> {
  for (const isPage of [(name: string) => name === 'index.html', (name: string) => /\.html?$/i.test(name)])
    for (const name of USUAL) if (await holds(join(base, name), isPage)) return name;
  throw new Error(
    `The build left no site: looked in ${where} for ${USUAL.join(', ')} with an index.html or another .html file in it. ` +
      `${await whatIsThere(base)} Set "output" to the folder that the build writes to.`,
  );
}

async function whatIsThere(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
  return `What is there: ${names.slice(0, 20).join(', ') || 'nothing'}.`;
}

/** The folder with links resolved. Throws when it is outside of the workspace. */
async function inside(workspace: string, path: string, name: string): Promise<string> {
  const real = await realpath(path);
  const way = relative(await realpath(workspace), real);
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))
    throw new Error(`The folder "${name}" leads out of the repository: it is, or is below, a link to elsewhere`);
  return real;
}

async function holds(folder: string, isPage: (name: string) => boolean): Promise<boolean> {
  return (await isFolder(folder)) && (await readdir(folder)).some(isPage);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // absent, a dangling link, or below a file: no folder either way
  }
}
