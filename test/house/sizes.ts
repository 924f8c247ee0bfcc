// Files too long to read in one go, and folders too full to see through.
import { dirname } from 'node:path/posix';
import { isCode, isTest } from './files.ts';

export const LIMITS = { lines: 300, testLines: 500, filesInFolder: 16 };

/** A sentence for each code file over its limit of lines. */
export function longFiles(files: readonly string[], read: (file: string) => string): string[] {
  return files.filter(isCode).flatMap((file) => {
    const lines = read(file).split('\n').length - 1;
    const limit = isTest(file) || file.startsWith('test/') ? LIMITS.testLines : LIMITS.lines;
    return lines > limit ? [`${file} has ${lines} lines; ${limit} is the limit: split it by what its parts are for`] : [];
  });
}

/** Records in the order of their numbers: nobody looks through them. */
const NUMBERED = 'docs/adr';

/** A sentence for each folder with more files than can be taken in at a look. The top folder is the house's own and is not counted. */
export function fullFolders(files: readonly string[]): string[] {
  const count = new Map<string, number>();
  for (const file of files) count.set(dirname(file), (count.get(dirname(file)) ?? 0) + 1);
  return [...count]
    .filter(([folder, files]) => folder !== '.' && folder !== NUMBERED && files > LIMITS.filesInFolder)
    .map(([folder, files]) => `${folder}/ holds ${files} files; ${LIMITS.filesInFolder} is the limit: make folders of what belongs together`);
}
