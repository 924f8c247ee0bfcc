// The adapters of one machine, opened in the data folder.
import type { Log, Ports } from '../../shared/host/contract.ts';
import type { dataPaths } from '../../shared/host/machine/data-folder.ts';
import { credentialReader } from '../../shared/host/credential-reader.ts';
import { createFileSecrets } from '../../shared/host/machine/file-secrets.ts';
import type { Commit } from '../../shared/host/host.ts';
import { createGit } from '../../shared/git/git.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import { createLocalRunner } from '../../shared/runner/local.ts';
import { createSteps } from '../../shared/steps/steps.ts';
import { createFsStorage } from '../../shared/storage/fs.ts';
import { openStore } from '../../shared/store/store.ts';

export interface Adapters extends Ports {
  broker: Broker;
  commit: Commit;
}

export interface AdapterOptions {
  paths: ReturnType<typeof dataPaths>;
  log: Log;
  now: () => string;
  /** TaskRuns at once. */
  slots: number;
  /** Stands between each adapter and those who use it, the other adapters included. */
  instrument?: (<P extends object>(name: string, port: P) => P) | undefined;
}

export interface OpenAdapters extends Adapters {
  /** Ends what a killed process left running, and starts its TaskRuns anew. */
  recover(): Promise<void>;
  isolation(): Promise<string>;
  close(): Promise<void>;
}

/** Throws StoreError when another server has the folder. */
export function openAdapters({ paths, log, now, slots, instrument = (_name, port) => port }: AdapterOptions): OpenAdapters {
  const store = openStore(paths.database);
  const objects = instrument('objects', store.objects);
  const broker = instrument('broker', store.broker);
  const { commit } = instrument('commit', { commit: store.commit });
  const secrets = instrument('secrets', createFileSecrets(paths.secrets));
  const storage = instrument('storage', createFsStorage({ directory: paths.storage }));
  const git = instrument('git', createGit({ directory: paths.git, credentials: credentialReader(objects, secrets), allowLocal: true }));
  const builtins = createSteps({ git, storage });
  const local = createLocalRunner({ objects, directory: paths.runner, emit: (event) => broker.publish([event]), builtins, slots, secrets, now, log });
  return {
    objects,
    broker,
    commit,
    secrets,
    storage,
    git,
    runner: instrument('runner', local),
    recover: () => local.recover(),
    isolation: () => local.isolation(),
    close: () => store.close(),
  };
}
