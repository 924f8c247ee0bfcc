import { gitContract } from '../../test/contracts/git.ts';
import { createGit } from './git.ts';

gitContract('the git command', (directory) =>
  createGit({ directory, allowLocal: true, credentials: async (name) => Promise.reject(new Error(`there is no credential ${name}`)) }),
);
