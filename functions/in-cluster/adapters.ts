// The adapters of a cluster, each loaded when somebody needs it: a function's start waits for nothing that it does not use.
import { credentialReader } from '../../shared/host/credential-reader.ts';
import type { Log } from '../../shared/host/contract.ts';
import { eachObject } from '../../shared/host/modify.ts';
import { anywhere } from '../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../shared/kubernetes/client/client.ts';
import { type FollowedPrepared, followPrepared, type Prepared, recentlyPrepared } from '../../shared/kubernetes/namespaces/prepared.ts';
import { within } from '../../shared/kubernetes/namespaces/within.ts';
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
  /** Of this installation. */
  objects: Objects;
  /** Namespaces that were made ready for its projects. */
  namespaces: Prepared;
  storage(): Promise<S3Storage>;
  secrets(): Promise<Secrets>;
  git(): Promise<Git>;
  runner(): Promise<Runner>;
  /** Undefined where there is no store to keep logs in. */
  logArchive(): Promise<LogArchive | undefined>;
}

/** For processes that are always there: they follow which namespaces are theirs. `onUnfit` is told of objects that do not fit their schema. */
export function openFollowing(settings: Settings, log: Log, onUnfit?: (unfit: Unfit) => void): Adapters & { namespaces: FollowedPrepared } {
  const client = createKubeClient({ connect: anywhere() });
  const namespaces = followPrepared({ client, system: settings.systemNamespace, log });
  const told = onUnfit && ((unfit: Unfit) => void (namespaces.followed.has(unfit.ref.namespace) && onUnfit(unfit)));
  const objects = createKubernetesObjects({ client, log, ...(told && { onUnfit: told }) });
  return { ...adaptersOf(settings, log, client, within(objects, namespaces, settings.systemNamespace)), namespaces };
}

/** For processes that sleep, or are woken for one event. */
export function openAdapters(settings: Settings, log: Log): Adapters {
  const client = createKubeClient({ connect: anywhere() });
  const namespaces = recentlyPrepared({ client, system: settings.systemNamespace });
  return { ...adaptersOf(settings, log, client, within(createKubernetesObjects({ client, log }), namespaces, settings.systemNamespace)), namespaces };
}

function adaptersOf(settings: Settings, log: Log, client: KubeClient, objects: Objects): Omit<Adapters, 'namespaces'> {
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
