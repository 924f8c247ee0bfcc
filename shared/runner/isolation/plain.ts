// Steps as ordinary processes of this machine: the quickest way, and no isolation at all.
import { delimiter } from 'node:path';
import type { Contained, Isolation } from './isolation.ts';

export function plainProcesses(why: string): Isolation {
  return {
    kind: 'none',
    usesImages: false,
    ownPaths: false,
    description:
      `Steps run as plain processes${why ? ` (${why})` : ''}: they are the user that runs tidemill and can read and write all that this user can, and reach its network. ` +
      'Images are not used, read-only mounts are not enforced, and /workspace and /tekton do not exist: paths come from variables such as $(workspaces.source.path).',
    launch: ({ command = [], args, env, workingDir }: Contained) => {
      const [file = '', ...rest] = [...command, ...args];
      return { file, args: rest, env, cwd: workingDir! };
    },
    discard: async () => undefined,
  };
}

const STANDARD = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * PATH of steps that run in this machine's userland: the one of whoever started tidemill, without what `npm start` put before it.
 * A build gets the Node of its owner, not the one that tidemill brought for itself.
 */
export function hostPath(path: string | undefined): string {
  const own = (path ?? '').split(delimiter).filter((entry) => entry && !/[\\/](?:node_modules[\\/]\.bin|node-gyp-bin)[\\/]?$/.test(entry));
  return (own.length > 0 ? own : STANDARD).join(delimiter);
}
