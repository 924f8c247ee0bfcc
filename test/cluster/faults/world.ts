// One installation for all faults of an overlay, with the servers that a test may hurt: a store behind a proxy, and a NATS server of its own.
import { type Door, install, type Installation, type Overlay } from '../chain/installation.ts';
import { openReceiver, type Receiver } from '../chain/world.ts';
import { fromEnv } from '../env.ts';
import { type NatsServers, startNats } from '../nats/server.ts';
import { type FaultProxy, startFaultProxy } from '../s3/proxy.ts';
import { directDoor } from './doors.ts';
import { apply } from './kubectl.ts';
import { type Counts, once, outcome } from './outcome.ts';
import { type FaultyProject, openProject, type ProjectOptions } from './project.ts';

type Wanted = 'Succeeded' | 'Failed';

export interface FaultWorld {
  installation: Installation;
  receiver: Receiver;
  store: FaultProxy;
  /** Undefined where events do not travel by NATS. */
  nats: NatsServers | undefined;
  project(name: string, options?: Partial<ProjectOptions>): Promise<FaultyProject>;
  /** What came of it: counted, held against what it should be, and kept for the table. */
  expectOnce(fault: string, project: FaultyProject, wanted?: Wanted): Promise<Counts>;
  /** All that was counted so far, counted again. */
  expectNothingMore(): Promise<void>;
  /** One line for each fault. */
  table(): string;
  remove(): Promise<void>;
}

export async function openFaultWorld(overlay: Overlay): Promise<FaultWorld> {
  const host = fromEnv('TIDEMILL_TEST_HOST');
  const closing: (() => Promise<unknown>)[] = [];
  const remove = async () => {
    for (const close of closing.toReversed()) await close();
  };
  try {
    const store = await startFaultProxy(fromEnv('TIDEMILL_TEST_S3_ENDPOINT'), host);
    closing.push(store.close);
    const nats = overlay === 'jetstream' ? await startNats(1, host) : undefined;
    if (nats) closing.push(nats.close);
    const receiver = await openReceiver();
    closing.push(receiver.close);
    const installation = await install(overlay, ['--s3-endpoint', store.endpoint, ...(nats ? ['--nats', nats.url] : [])], 'faults');
    closing.push(installation.remove);
    await hookAll(installation, receiver);
    const webhook: Door = await directDoor(installation, 'github-webhook', installation.webhook);
    const counted: { fault: string; project: FaultyProject; wanted: Wanted; counts: Counts }[] = [];
    return {
      installation,
      receiver,
      store,
      nats,
      project: async (name, options = {}) => {
        const project = await openProject(name, { installation, webhook, ...options });
        closing.push(project.close);
        return project;
      },
      expectOnce: async (fault, project, wanted = 'Succeeded') => {
        const counts = await outcome(installation, receiver, project, wanted);
        counted.push({ fault, project, wanted, counts });
        return counts;
      },
      expectNothingMore: async () => {
        for (const { project, wanted } of counted) await once(installation, receiver, project, wanted);
      },
      table: () => counted.map(({ fault, project, counts }) => row(`${overlay}: ${fault}`, project, counts)).join('\n'),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Told of everything that is public. */
async function hookAll({ projects }: Installation, receiver: Receiver): Promise<void> {
  const metadata = { name: 'all', labels: { 'tidemill.dev/secret': 'true' } };
  await apply(projects, { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { value: 'whsec_c2VjcmV0c2VjcmV0c2VjcmV0' } });
  const spec = { url: receiver.url, secret: 'all' };
  await apply(projects, { apiVersion: 'tidemill.dev/v1alpha1', kind: 'Hook', metadata: { name: 'all' }, spec });
}

function row(fault: string, { redelivered }: FaultyProject, counts: Counts): string {
  const { pushes, executions, succeeded, failed, taskRuns, events, told, deployed, refused, deadLetters } = counts;
  const cells = [
    fault,
    pushes,
    redelivered,
    `${executions} (${succeeded} + ${failed})`,
    taskRuns,
    `${deployed} + ${refused}`,
    `${events} in ${told}`,
    deadLetters,
  ];
  return `| ${cells.join(' | ')} |`;
}
