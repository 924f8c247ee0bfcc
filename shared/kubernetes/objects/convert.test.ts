import { describe, expect, it } from 'vitest';
import { InvalidObject, type Kind } from '../../objects/kinds.ts';
import type { KubeClient } from '../client/client.ts';
import type { Raw } from './convert.ts';
import { createKubernetesObjects } from './objects.ts';

const raw = (managers: readonly (string | undefined)[] | undefined, status?: unknown): Raw => ({
  metadata: {
    namespace: 'shop',
    name: 'a',
    uid: 'u',
    resourceVersion: '7',
    creationTimestamp: '2026-01-02T03:04:05Z',
    ...(managers && { managedFields: managers.map((manager) => (manager === undefined ? {} : { manager })) }),
  },
  spec: { nonsense: true, retries: 1000 },
  ...(status !== undefined && { status }),
});

/** Whether such an object is checked where it is listed, and left out and told then; and where it is asked for by name. */
async function isChecked(kind: Kind, item: Raw): Promise<boolean> {
  const request = async (_: string, path: string) => (path.endsWith('/a') ? item : { metadata: { resourceVersion: '7' }, items: [item] });
  const client = { request } as unknown as KubeClient;
  const unfit: string[] = [];
  const objects = createKubernetesObjects({ client, onUnfit: ({ message }) => void unfit.push(message) });
  const { items } = await objects.list(kind, { namespace: 'shop' });
  expect(items.length + unfit.length).toBe(1);
  const got = await objects.get(kind, { namespace: 'shop', name: 'a' }).catch((error: unknown) => error);
  expect(got instanceof InvalidObject).toBe(unfit.length === 1);
  return unfit.length === 1;
}

describe('what is read', () => {
  it.each<Kind>(['Execution', 'Lane', 'Push', 'TaskRun'])('of the kind %s is checked, unless functions alone wrote it', async (kind) => {
    expect(await isChecked(kind, raw(['tidemill']))).toBe(false);
    expect(await isChecked(kind, raw(['tidemill', 'tidemill']))).toBe(false);
    for (const managers of [undefined, [], ['kubectl-edit'], ['tidemill', 'kubectl-patch'], ['tidemill', undefined], ['tidemill2']])
      expect(await isChecked(kind, raw(managers)), String(managers)).toBe(true);
  });

  it.each<Kind>(['Project', 'Pipeline', 'Hook', 'Credential', 'Artifact', 'Release'])('of the kind %s is checked, whoever wrote it', async (kind) => {
    expect(await isChecked(kind, raw(['tidemill']))).toBe(true);
  });

  it('of a TaskRun with a status is checked: that is not ours', async () => {
    expect(await isChecked('TaskRun', raw(['tidemill'], { conditions: 'none' }))).toBe(true);
  });
});
