// The adapters of a cluster, each loaded when somebody needs it: a function's start waits for nothing that it does not use.
import { credentialReader } from '../../shared/host/credential-reader.ts';
import type { Log } from '../../shared/host/contract.ts';
import { eachObject } from '../../shared/host/modify.ts';
import { anywhere } from '../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../shared/kubernetes/client/client.ts';
import { createKubernetesObjects, type Unfit } from '../../shared/kubernetes/objects/objects.ts';
import type { Git } from '../../shared/ports/git.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import type { Runner } from '../../shared/ports/runner.ts';
import type { Secrets } from '../../shared/ports/secrets.ts';
import type { S3Storage } from '../../shared/s3/storage.ts';
import type { LogArchive } from '../../shared/tekton/logs/archive.ts';
import { type Settings, wanted } from './settings.ts';

/** The only folder of a function that can be written: it goes with the pod. */
const GIT_FOLDER = '/tmp/git';

export interface Adapters {
  client: KubeClient;
  objects: Objects;
  storage(): Promise<S3Storage>;
  secrets(): Promise<Secrets>;
  git(): Promise<Git>;
  runner(): Promise<Runner>;
  /** Undefined where there is no store to keep logs in. */
  logArchive(): Promise<LogArchive | undefined>;
}

/** `onUnfit` is told of objects that somebody wrote by hand and that do not fit their schema. */
export function openAdapters(settings: Settings, log: Log, onUnfit?: (unfit: Unfit) => void): Adapters {
  const client = createKubeClient({ connect: anywhere() });
  const objects = createKubernetesObjects({ client, log, ...(onUnfit && { onUnfit }) });
  const storage = once(async () => {
    const { createS3Storage } = await import('../../shared/s3/storage.ts');
    return createS3Storage(wanted(settings.s3, 'TIDEMILL_S3_BUCKET'));
  });
  const secrets = once(async () => (await import('../../shared/kubernetes/secrets.ts')).createKubernetesSecrets({ client }));
  const git = once(async () => {
    const { createGit } = await import('../../shared/git/git.ts');
    return createGit({ directory: GIT_FOLDER, credentials: credentialReader(objects, await secrets()), allowLocal: false });
  });
  const logArchive = once(async () => {
    if (!settings.s3) return undefined;
    const { createLogArchive } = await import('../../shared/tekton/logs/archive.ts');
    return createLogArchive({ storage: await storage(), log });
  });
  const runner = once(async () => {
    const { createTektonRunner } = await import('../../shared/tekton/runner.ts');
    const [{ TASK_RUN_DEFAULTS }, archive] = await Promise.all([import('../../shared/tekton/taskrun/defaults.ts'), logArchive()]);
    const { image, bytesUrl, buildImage } = settings;
    return createTektonRunner({
      client,
      ...(image && { own: { image, bytesUrl } }),
      buildImage,
      defaults: TASK_RUN_DEFAULTS,
      reserved: reservedSecrets(objects),
      ...(archive && { archive }),
    });
  });
  return { client, objects, storage, secrets, git, runner, logArchive };
}

/** What credentials and hooks are kept in. */
function reservedSecrets(objects: Objects): (namespace: string) => Promise<Set<string>> {
  return async (namespace) => {
    const names = new Set<string>();
    for await (const { spec } of eachObject(objects, 'Credential', { namespace, labels: {} })) names.add(spec.secret);
    for await (const { spec } of eachObject(objects, 'Hook', { namespace, labels: {} })) names.add(spec.secret);
    return names;
  };
}

/** Made at the first call, and then the same; one that failed is made again. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
