// tidemill doctor: everything that can be said of an installation from outside of it, a line each.
import pkg from '../../../package.json' with { type: 'json' };
import { IMAGE } from '../../../knative/generate/options.ts';
import { checkKnative, checkKubernetes, checkTekton } from '../checks/cluster.ts';
import type { Cluster } from '../cluster/connect.ts';
import { type Finding, looked, note, ok, wrong } from '../finding.ts';
import { type Installed, readInstalled, type Wanted, wantedOf } from '../options.ts';
import { checkBacklog } from './backlog.ts';
import { checkDefinitions, checkObjects } from './objects.ts';
import { checkProjects } from './projects.ts';
import { checkReach } from './reach.ts';
import { checkSecrets } from './secrets.ts';
import { checkSinks, checkTektonEvents, checkWatcher, checkWorkloads } from './workloads.ts';

export async function examine({ resources, server }: Cluster, namespace: string): Promise<Finding[]> {
  const kubernetes = await checkKubernetes(resources, server);
  if (kubernetes.some(({ state }) => state === 'wrong')) return kubernetes;
  const tekton = await looked('Tekton Pipelines', () => checkTekton(resources));
  const installed = await readInstalled(resources, namespace);
  if (!installed) return [...kubernetes, ...tekton, wrong('Installation', `there is none in ${namespace}`, 'tidemill install, or name another --namespace')];
  const wanted = wantedOf({ namespace, image: installed.image === IMAGE ? 'tidemill' : installed.image }, installed, {});
  const again = `tidemill install${namespace === 'tidemill-system' ? '' : ` --namespace ${namespace}`}`;
  const checks: [string, () => Promise<Finding[]>][] = [
    ['Knative', () => checkKnative(resources, wanted.overlay)],
    ['Definitions', () => checkDefinitions(resources, wanted, again)],
    ['Objects', () => checkObjects(resources, wanted, again)],
    ['Secrets', () => checkSecrets(resources, wanted, again)],
    ['Functions', () => checkWorkloads(resources, wanted)],
    ['Sinks', () => checkSinks(resources, wanted)],
    ['Reached from inside', () => checkReach(resources, wanted)],
    ['Watcher', () => checkWatcher(resources, wanted)],
    ['Tekton events', () => checkTektonEvents(resources, wanted, again)],
    ['Projects', () => checkProjects(resources, wanted, again)],
    ['Left behind', () => checkBacklog(resources, wanted)],
  ];
  const found = await Promise.all(checks.map(([name, look]) => looked(name, look)));
  return [...kubernetes, ...tekton, version(wanted, installed), ...found.flat()];
}

function version({ namespace, overlay, size }: Wanted, installed: Installed): Finding {
  const what = `${installed.version} in ${namespace} (${overlay}, ${size})`;
  if (installed.version === pkg.version) return ok('Installation', what);
  return note('Installation', `${what}; this command is of ${pkg.version}`, 'To bring it up to date: tidemill install --image …');
}
