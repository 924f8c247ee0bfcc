// tidemill's custom resources, installed where the cluster has none of them yet; they stay, as other suites use them too.
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { type KubeClient, PATCH } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';

const FOLDER = new URL('../../../knative/crds/', import.meta.url);
const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const ESTABLISHED_MS = 30_000;

interface Crd {
  kind: string;
  metadata: { name: string };
  status?: { conditions?: { type: string; status: string }[] };
}

export async function ensureCrds(client: KubeClient): Promise<void> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.yaml'));
  const all = await Promise.all(files.map(async (file) => parse(await readFile(new URL(file, FOLDER), 'utf8')) as Crd));
  await Promise.all(all.filter(({ kind }) => kind === 'CustomResourceDefinition').map((crd) => ensure(client, crd)));
}

async function ensure(client: KubeClient, crd: Crd): Promise<void> {
  const path = `${PATH}/${crd.metadata.name}`;
  const until = Date.now() + ESTABLISHED_MS;
  while (Date.now() < until) {
    const there = await client.request<Crd>('GET', path).catch((error: unknown) => {
      if (error instanceof KubeError && error.status === 404)
        return client.request<Crd>('PATCH', path, { body: crd, contentType: PATCH.apply, query: { fieldManager: 'tidemill-test', force: true } });
      throw error;
    });
    if (there.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')) return;
    await sleep(100);
  }
  throw new Error(`${crd.metadata.name} was not established within ${ESTABLISHED_MS} ms`);
}
