// An artifact is known by its digest: start what waited for it. A commit starts its execution; a site is released.
import { autoRelease } from '../../shared/decisions/execution.ts';
import { environmentOf, productionBranch } from '../../shared/decisions/names.ts';
import type { EventOf, Output } from '../../shared/events/event.ts';
import type { Deps, Handler } from '../../shared/host/contract.ts';
import type { functions } from '../graph.ts';
import { startExecution } from './start-execution.ts';

type Entry = (typeof functions)['artifact-resolved'];
type Event = EventOf<Entry['consumes'][number]>;

export const handle: Handler<Entry> = async (event, deps) => (event.data.type === 'git' ? startExecution(event, deps) : requestRelease(event, deps));

async function requestRelease(event: Event, { objects }: Deps<Entry>) {
  const { namespace, project: name, execution: executionName, artifact } = event.data;
  if (!executionName) return {};
  const [project, execution] = await Promise.all([objects.get('Project', { namespace, name }), objects.get('Execution', { namespace, name: executionName })]);
  if (!project || !execution) return {};
  const { ref, lane, number, outdated, trigger } = execution.spec;
  const environment = environmentOf(ref, productionBranch(project));
  const { release, reason } = autoRelease(project.spec, ref, environment);
  if (!release) return { status: { ...execution, status: { phase: 'Pending', ...execution.status, message: `Built, not released: ${reason}` } } };
  const output: Output<'dev.tidemill.release.requested.v1'> = {
    type: 'dev.tidemill.release.requested.v1',
    subject: environment,
    data: {
      namespace,
      project: name,
      environment,
      action: 'deploy',
      artifact,
      // Whoever asked for the build did not ask for this release: it follows by rule.
      trigger: trigger === 'user' ? 'auto' : trigger,
      lane,
      number,
      ...(outdated && { outdated: true }),
    },
  };
  return { outputs: [output] };
}
