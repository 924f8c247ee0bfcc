// The contract of Objects on a real API server.
import { afterAll, beforeAll, describe } from 'vitest';
import { anywhere } from '../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient } from '../../shared/kubernetes/client/client.ts';
import { createKubernetesObjects } from '../../shared/kubernetes/objects/objects.ts';
import { objectsContract } from '../contracts/objects.ts';
import { fromEnv } from './env.ts';
import { ensureCrds } from './objects/crds.ts';
import { dropNamespaces, makeNamespaces } from './objects/namespaces.ts';

fromEnv('KUBECONFIG');

describe('on Kubernetes', () => {
  const client = createKubeClient({ connect: anywhere() });
  beforeAll(async () => {
    await ensureCrds(client);
  });
  afterAll(() => client.close());

  objectsContract(
    'kubernetes',
    async () => {
      const namespaces = await makeNamespaces(client, 'objects', ['default', 'other']);
      return {
        objects: createKubernetesObjects({ client }),
        namespaces,
        marker: { 'objects-test': namespaces[0] },
        close: () => dropNamespaces(client, namespaces),
      };
    },
    { newestFirst: true, creationResolution_ms: 1100 },
  );
});
