// A local runner in a folder of its own, on a real store, for tests.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSecretName } from '../../../shared/decisions/names.ts';
import type { RunnerUnderTest } from '../runner.ts';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import { createFileSecrets } from '../../../shared/host/machine/file-secrets.ts';
import type { Secrets } from '../../../shared/ports/secrets.ts';
import { openStore } from '../../../shared/store/store.ts';
import type { StepAction } from '../../../shared/runner/task/spec.ts';
import { type LocalRunner, type LocalRunnerOptions, createLocalRunner } from '../../../shared/runner/local.ts';

export interface LocalRunnerUnderTest extends RunnerUnderTest {
  runner: LocalRunner;
  secrets: Secrets;
  directory: string;
}

/** `namespace`: that of its TaskRuns. */
type Options = Partial<Pick<LocalRunnerOptions, 'builtins' | 'slots' | 'grace_ms' | 'logLimit' | 'emit' | 'env' | 'log'>> & {
  isolation: string;
  folder?: string;
  namespace?: string;
};

/** `folder`: one that an earlier runner left; it is kept on close. */
export async function openLocalRunner({ isolation, folder, namespace = 'default', env = process.env, ...options }: Options): Promise<LocalRunnerUnderTest> {
  const root = folder ?? (await mkdtemp(join(tmpdir(), 'tidemill-runner-')));
  const store = openStore(join(root, 'objects.db'));
  const secrets = createFileSecrets(join(root, 'secrets'));
  const events: TidemillEvent[] = [];
  const stepActions = new Map<string, StepAction>();
  const configMaps = new Map<string, Record<string, Buffer>>();
  const directory = join(root, 'runner');
  const runner = createLocalRunner({
    objects: store.objects,
    directory,
    emit: async (event) => void events.push(event),
    builtins: {},
    slots: 4,
    secrets,
    now: () => new Date().toISOString(),
    grace_ms: 2000,
    env: { ...env, TIDEMILL_ISOLATION: isolation },
    references: { stepAction: async (name) => stepActions.get(name), configMap: async (name) => configMaps.get(name) },
    ...options,
  });
  await runner.recover();
  return {
    runner,
    secrets,
    directory,
    namespace,
    image: 'busybox',
    poll_ms: 20,
    short: '2s',
    events: () => events,
    async provide(needs) {
      for (const [name, data] of Object.entries(needs.secrets ?? {})) await secrets.set(runSecretName(namespace, name), JSON.stringify(data), namespace);
      for (const [name, data] of Object.entries(needs.configMaps ?? {}))
        configMaps.set(name, Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)])));
      for (const [name, action] of Object.entries(needs.stepActions ?? {})) stepActions.set(name, { image: 'busybox', ...action });
    },
    async close() {
      await runner.stop(500);
      await store.close();
      if (!folder) await rm(root, { recursive: true, force: true });
    },
  };
}
