// Whether the namespaces that projects stand in were made ready for them.
import { BUILD_ACCOUNT } from '../../../knative/generate/options.ts';
import { API_VERSION } from '../../../shared/objects/meta.ts';
import { findTekton } from '../checks/cluster.ts';
import type { Resources } from '../cluster/resources.ts';
import { type Finding, note, ok, wrong } from '../finding.ts';
import type { Wanted } from '../options.ts';

export async function checkProjects(resources: Resources, wanted: Wanted, again: string): Promise<Finding[]> {
  const projects = await resources.list(API_VERSION, 'Project');
  const inUse = [...new Set([...wanted.projects, ...projects.map(({ metadata }) => metadata.namespace!)])];
  const flag = await securityFlag(resources);
  const findings = (await Promise.all(inUse.map((namespace) => ofNamespace(resources, namespace, { wanted, again, flag })))).flat();
  const served = projects.filter(({ metadata }) => wanted.projects.includes(metadata.namespace!)).length;
  if (findings.every(({ state }) => state !== 'wrong')) findings.push(ok('Projects', `${served} in ${wanted.projects.join(', ')}`));
  return findings;
}

interface About {
  wanted: Wanted;
  again: string;
  flag: boolean;
}

async function ofNamespace(resources: Resources, name: string, { wanted, again, flag }: About): Promise<Finding[]> {
  const namespace = await resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  if (!namespace) return [wrong('Projects', `the namespace ${name} is gone`, again)];
  const account = await resources.get({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: BUILD_ACCOUNT, namespace: name } });
  if (!wanted.projects.includes(name)) {
    // It may be another installation's.
    return account ? [] : [wrong('Projects', `there are projects in ${name}, which was not made ready for them`, `${again} --project-namespace ${name}`)];
  }
  const findings: Finding[] = [];
  if (!account) findings.push(wrong('Projects', `${name} has no service account ${BUILD_ACCOUNT}, which builds run as`, again));
  if (namespace.metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted' && !flag)
    findings.push(
      note(
        'Projects',
        `${name} is restricted, and Tekton's own containers are not made for that`,
        'Set set-security-context to "true" in the ConfigMap feature-flags of Tekton',
      ),
    );
  return findings;
}

/** Whether Tekton's init containers are restricted themselves. */
async function securityFlag(resources: Resources): Promise<boolean> {
  const tekton = await findTekton(resources);
  const flags = tekton && (await resources.get({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'feature-flags', namespace: tekton.namespace } }));
  return ((flags?.['data'] ?? {}) as Record<string, string>)['set-security-context'] === 'true';
}
