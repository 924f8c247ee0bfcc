// Somebody, or a finished build, wants the pointer of an environment moved: check the request against what is live, and move it.
import { labelHash, releaseName } from '../../shared/decisions/names.ts';
import { decideDeploy, decideRetire, decideRollback, type Decision } from '../../shared/decisions/release.ts';
import type { Output } from '../../shared/events/event.ts';
import { type Deps, type Handler, Refused } from '../../shared/host/contract.ts';
import { eachObject, ensure } from '../../shared/host/modify.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import type { Deployment } from '../../shared/objects/release.ts';
import type { functions } from '../graph.ts';

type Entry = (typeof functions)['release-requested'];
type Event = Parameters<Handler<Entry>>[0];
type Emitted = Output<Entry['emits'][number]>;

export const handle: Handler<Entry> = async (event, deps) => {
  const { namespace, project: name, environment, action } = event.data;
  const project = await deps.objects.get('Project', { namespace, name });
  if (!project) throw new Refused(`There is no project ${name}; it was removed, or never added`);
  const release = await releaseOf(event, deps);
  if (release.spec.project !== name || release.spec.environment !== environment) {
    throw new Refused(
      `${release.metadata.name} is the address of ${release.spec.environment} of ${release.spec.project} already; ${environment} of ${name} cannot have it too`,
    );
  }
  const now = deps.now();
  if (action === 'retire') {
    const status = decideRetire(release.status!, event.data);
    const data = { namespace, project: name, environment, release: release.metadata.name };
    return { status: { ...release, status }, outputs: [{ type: 'dev.tidemill.release.retired.v1', subject: release.metadata.name, data }] };
  }
  const decision = action === 'rollback' ? decideRollback(release.status!, event.data, now) : await deploy(event, release, project, deps);
  if ('refused' in decision) return refused(event, release, decision.refused, now);
  if ('same' in decision) return { outputs: [moved(event, release, decision.same)] };
  return { status: { ...release, status: decision.status }, outputs: [moved(event, release, decision.live)] };
};

async function releaseOf(event: Event, { objects }: Deps<Entry>): Promise<Obj<'Release'>> {
  const { namespace, project, environment } = event.data;
  const name = releaseName(project, environment);
  return ensure(objects, {
    kind: 'Release',
    metadata: { name, namespace, labels: { [LABEL.project]: project, [LABEL.environment]: environment, [LABEL.host]: name } },
    spec: { project, environment, host: name },
    status: { history: [] },
  });
}

async function deploy(event: Event, release: Obj<'Release'>, project: Obj<'Project'>, deps: Deps<Entry>): Promise<Decision> {
  const artifact = await wanted(event, project, deps);
  if (typeof artifact === 'string') return { refused: artifact };
  return decideDeploy(release.status!, event.data, artifact, deps.now());
}

/** The artifact that is asked for by name, by version, or as the latest; else the sentence that says why there is none. */
async function wanted(event: Event, project: Obj<'Project'>, { objects }: Deps<Entry>): Promise<Obj<'Artifact'> | string> {
  const { namespace, project: name, artifact, version } = event.data;
  if (artifact) return (await objects.get('Artifact', { namespace, name: artifact })) ?? `There is no artifact ${artifact}`;
  if (!version) return 'Neither an artifact nor a version was named';
  if (version === 'latest') {
    const latest = project.status?.latest;
    const found = latest && (await objects.get('Artifact', { namespace, name: latest.artifact }));
    return found ?? `Nothing was built from the default branch of ${name} yet`;
  }
  const labels = { [LABEL.version]: labelHash(name, version) };
  for await (const found of eachObject(objects, 'Artifact', { namespace, labels })) return found;
  return `There is no version ${version} of ${name}; \`tidemill list ${name}\` shows those there are`;
}

function refused(event: Event, release: Obj<'Release'>, reason: string, now: string): { status: Obj; outputs: Emitted[] } {
  const { namespace, project, environment, artifact } = event.data;
  const data = { namespace, project, environment, reason, ...(artifact && { artifact }) };
  return {
    status: { ...release, status: { ...release.status!, refused: { reason, at: now } } },
    outputs: [{ type: 'dev.tidemill.release.refused.v1', subject: release.metadata.name, data }],
  };
}

function moved(event: Event, release: Obj<'Release'>, live: Deployment): Emitted {
  const { namespace, project, environment } = event.data;
  const data = { namespace, project, environment, release: release.metadata.name, artifact: live.artifact, version: live.version, digest: live.manifest };
  return { type: live.rollback ? 'dev.tidemill.release.rolledback.v1' : 'dev.tidemill.release.deployed.v1', subject: release.metadata.name, data };
}
