// Whether the namespaces that projects stand in were made ready for them.
import { BUILD_ACCOUNT, CONFIG } from '../../../knative/generate/options.ts';
import { API_VERSION } from '../../../shared/objects/meta.ts';
import { INSTALLATION, isMarker, MARKER } from '../../../shared/objects/project-namespace.ts';
import { findTekton } from '../checks/cluster.ts';
import type { Live, Resources } from '../cluster/resources.ts';
import { type Finding, note, ok, wrong } from '../finding.ts';
import type { Wanted } from '../options.ts';

export async function checkProjects(resources: Resources, wanted: Wanted, again: string): Promise<Finding[]> {
  const projects = await resources.list(API_VERSION, 'Project');
  const inUse = [...new Set([...wanted.projects, ...projects.map(({ metadata }) => metadata.namespace!)])];
  const flag = await securityFlag(resources);
  const about = (namespace: string): About => ({ wanted, again, flag, there: projects.filter(({ metadata }) => metadata.namespace === namespace) });
  const findings = (await Promise.all(inUse.map((namespace) => ofNamespace(resources, namespace, about(namespace))))).flat();
  const served = projects.filter(({ metadata }) => wanted.projects.includes(metadata.namespace!)).length;
  if (findings.every(({ state }) => state !== 'wrong')) findings.push(ok('Projects', `${served} in ${wanted.projects.join(', ')}`));
  return findings;
}

interface About {
  wanted: Wanted;
  again: string;
  flag: boolean;
  /** Projects that stand in it. */
  there: readonly Live[];
}

const SHOWN = 3;

async function ofNamespace(resources: Resources, name: string, about: About): Promise<Finding[]> {
  const { wanted, again, flag } = about;
  const namespace = await resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  if (!namespace) return [wrong('Projects', `the namespace ${name} is gone`, again)];
  if (!wanted.projects.includes(name)) return whoseProjects(resources, name, about);
  const account = await resources.get({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: BUILD_ACCOUNT, namespace: name } });
  const findings: Finding[] = [];
  const binding = await markerOf(resources, name);
  if (binding && !isMarker(binding as never, wanted.namespace))
    findings.push(wrong('Projects', `${name} is left alone: its RoleBinding ${MARKER} does not bind the watcher of ${wanted.namespace} to its role`, again));
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

const markerOf = (resources: Resources, namespace: string) =>
  resources.get({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: MARKER, namespace } });

/** Of a namespace that was not made ready for this installation: nothing happens there, unless it is another's. */
async function whoseProjects(resources: Resources, name: string, { wanted, again, there }: About): Promise<Finding[]> {
  const titles = there.map(({ metadata }) => metadata.name).toSorted();
  const what = `Project ${titles.slice(0, SHOWN).join(', ')}${titles.length > SHOWN ? ` and ${titles.length - SHOWN} more` : ''} in ${name}`;
  const alone = `${what}: nothing comes of ${titles.length > 1 ? 'them' : 'it'}, as the namespace`;
  if (name === wanted.namespace)
    return [
      wrong('Projects', `${alone} is that of tidemill itself, where nothing is built`, `Make it in another namespace; ${again} --project-namespace NAME`),
    ];
  const prepare = `${again} --project-namespace ${name}`;
  const binding = await markerOf(resources, name);
  const other = binding?.metadata.labels?.[INSTALLATION];
  if (!binding || other === undefined || !isMarker(binding as never, other)) return [wrong('Projects', `${alone} was not made ready for projects`, prepare)];
  const installed = await resources.get({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG.all, namespace: other } });
  // No fault of this one: the other was taken away, or is yet to come.
  return installed
    ? []
    : [
        note(
          'Projects',
          `${alone} was made ready for an installation in ${other}, and there is none`,
          `To take it over: tidemill uninstall --namespace ${other}, which takes what is left of that away; then ${prepare}`,
        ),
      ];
}

/** Whether Tekton's init containers are restricted themselves. */
async function securityFlag(resources: Resources): Promise<boolean> {
  const tekton = await findTekton(resources);
  const flags = tekton && (await resources.get({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'feature-flags', namespace: tekton.namespace } }));
  return ((flags?.['data'] ?? {}) as Record<string, string>)['set-security-context'] === 'true';
}
