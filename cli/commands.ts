// Every command by name: one line for the list in the help, and the file that holds it, read only when it is used.
import type { Define } from './cli.ts';

export interface Entry {
  summary: string;
  group: 'Run it' | 'Projects' | 'Builds' | 'Releases' | 'Connections' | 'In a cluster' | 'Without a server';
  load: () => Promise<Define>;
}

/** Groups of commands that ask a server, of which projects may stand in many namespaces. */
export const ASKING: ReadonlySet<Entry['group']> = new Set(['Projects', 'Builds', 'Releases', 'Connections']);

export const commands: Record<string, Entry> = {
  server: { group: 'Run it', summary: 'run everything on this machine', load: async () => (await import('./commands/server.ts')).define },
  add: { group: 'Projects', summary: 'build and serve a repository', load: async () => (await import('./commands/add.ts')).define },
  remove: { group: 'Projects', summary: 'take a project and its site away', load: async () => (await import('./commands/remove.ts')).define },
  list: { group: 'Projects', summary: 'projects, or what fits a state, a project or a version', load: async () => (await import('./commands/list.ts')).define },
  status: { group: 'Projects', summary: 'how the server or one project is doing', load: async () => (await import('./commands/status.ts')).define },
  trigger: { group: 'Builds', summary: 'build a branch, tag or commit now', load: async () => (await import('./commands/trigger.ts')).define },
  logs: { group: 'Builds', summary: 'what a build said', load: async () => (await import('./commands/logs.ts')).define },
  cancel: { group: 'Builds', summary: 'end a build that waits or runs', load: async () => (await import('./commands/cancel.ts')).define },
  rerun: { group: 'Builds', summary: 'build the same commit again', load: async () => (await import('./commands/rerun.ts')).define },
  deploy: { group: 'Releases', summary: 'make a version live', load: async () => (await import('./commands/deploy.ts')).define },
  rollback: { group: 'Releases', summary: 'make an earlier version live again', load: async () => (await import('./commands/rollback.ts')).define },
  hook: { group: 'Connections', summary: 'tell other programs of what happens', load: async () => (await import('./commands/connections/hook.ts')).define },
  secret: {
    group: 'Connections',
    summary: 'values that builds and hooks use, and nobody reads back',
    load: async () => (await import('./commands/connections/secret.ts')).define,
  },
  credential: {
    group: 'Connections',
    summary: 'how private repositories are read',
    load: async () => (await import('./commands/connections/credential.ts')).define,
  },
  deadletters: { group: 'Connections', summary: 'events that were given up', load: async () => (await import('./commands/connections/deadletters.ts')).define },
  install: { group: 'In a cluster', summary: 'put tidemill into a cluster, or upgrade it', load: async () => (await import('./commands/install.ts')).define },
  doctor: { group: 'In a cluster', summary: 'find what is wrong with an installation', load: async () => (await import('./commands/doctor.ts')).define },
  uninstall: { group: 'In a cluster', summary: 'take tidemill out of a cluster', load: async () => (await import('./commands/uninstall.ts')).define },
  task: { group: 'Without a server', summary: 'run Tekton Tasks from a file', load: async () => (await import('./commands/task-run.ts')).define },
};
