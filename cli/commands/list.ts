// tidemill list: projects; or what fits a state, a project or a version.
import type { ArtifactView } from '../../functions/api/releases/artifacts.ts';
import type { ExecutionSummary } from '../../functions/api/executions/execution-view.ts';
import type { ProjectView } from '../../functions/api/projects/project-view.ts';
import { executionPhase } from '../../shared/objects/execution.ts';
import type { Cli, Define } from '../cli.ts';
import type { Client, Listed } from '../client/client.ts';
import { CliError, EXIT } from '../exit.ts';
import { ago, bytes, counted, duration, shortRef, shortSha, table, titles } from '../terminal/format.ts';
import { plain, type Style } from '../terminal/io.ts';

export const define: Define = (program, cli) => {
  program
    .command('list')
    .summary('projects, or what fits a state, a project or a version')
    .description('Lists the projects; with a filter: the builds in a state, the versions of a project, or the projects that have a version.')
    .argument('[filter]', `a state (${executionPhase.options.join(', ')}), a project, or a version`)
    .addHelpText('before', 'Examples:\n  tidemill list\n  tidemill list failed\n  tidemill list docs\n  tidemill list v1.4.0 --json\n')
    .option('--limit <n>', 'so many at most', '50')
    .action(async (filter: string | undefined, options: { limit: string }) => {
      const limit = Number(options.limit);
      if (!Number.isInteger(limit) || limit < 1 || limit > 200) throw new CliError(EXIT.usage, '--limit wants a number from 1 to 200');
      const client = await cli.client();
      if (filter === undefined) return listProjects(cli, await client.projects({ limit }));
      const phase = executionPhase.options.find((option) => option.toLowerCase() === filter.toLowerCase());
      if (phase) return listExecutions(cli, await client.executions({ phase, limit }), phase);
      const project = await projectOrNothing(client, filter);
      if (project) return listVersions(cli, client, project, limit);
      return listVersion(cli, client, filter);
    });
};

function listProjects(cli: Cli, found: Listed<ProjectView>): void {
  const title = titles(found.items);
  const rows = found.items.map((project) => {
    const live = project.releases.find((release) => release.environment === 'production')?.current;
    const last = project.lastExecution;
    return [title(project), live?.version ?? '-', last ? last.phase : '-', last ? ago(last.createdAt) : '', live ? project.url : ''];
  });
  cli.answer(found, () =>
    rows.length > 0
      ? printed(cli, ['PROJECT', 'LIVE', 'LAST BUILD', '', 'URL'], rows) + more(found)
      : 'No projects yet. Add one: tidemill add <path or address of a repository>',
  );
}

function listExecutions(cli: Cli, found: Listed<ExecutionSummary>, phase: string): void {
  cli.answer(found, () => (found.items.length > 0 ? printed(cli, EXECUTION_HEADS, found.items.map(executionRow)) + more(found) : `No build is ${phase}.`));
}

export const EXECUTION_HEADS = ['EXECUTION', 'STATE', 'OF', 'COMMIT', '', 'TOOK', 'SUBJECT'];

export function executionRow(execution: ExecutionSummary): string[] {
  const { name, phase, ref, sha, createdAt, started, ended, subject } = execution;
  const took = started === undefined ? '' : duration((ended === undefined ? Date.now() : Date.parse(ended)) - Date.parse(started));
  const of = /^[0-9a-f]{40,64}$/.test(ref) ? '-' : shortRef(ref);
  return [name, phase, of, shortSha(sha), ago(createdAt), took, plain(subject ?? '').slice(0, 60)];
}

async function listVersions(cli: Cli, client: Client, project: ProjectView, limit: number): Promise<void> {
  const found = await client.versions(project.name, { limit });
  const rows = found.items.map(({ version, createdAt, files, size }) => {
    const live = project.releases.filter((release) => release.current?.version === version).map((release) => release.environment);
    return [version, ago(createdAt), counted(files, 'file'), bytes(size), live.length > 0 ? `live: ${live.join(', ')}` : ''];
  });
  cli.answer(found, () =>
    rows.length > 0
      ? printed(cli, ['VERSION', 'BUILT', 'FILES', 'SIZE', ''], rows) + more(found)
      : `Nothing was built of ${project.name} yet. \`tidemill trigger ${project.name}\` builds it.`,
  );
}

async function listVersion(cli: Cli, client: Client, version: string): Promise<void> {
  const found = await client.artifacts({ version, limit: 200 });
  if (found.items.length === 0)
    throw new CliError(EXIT.refused, `"${version}" is no state, and neither a project nor a version of one. \`tidemill list\` shows the projects.`);
  cli.answer(found, () => printed(cli, ['PROJECT', 'VERSION', 'BUILT', 'SIZE', 'EXECUTION'], found.items.map(versionRow)) + more(found));
}

function versionRow(artifact: ArtifactView): string[] {
  const size = artifact.type === 'site' ? bytes(artifact.size) : '';
  return [artifact.project, artifact.version ?? '-', ago(artifact.createdAt), size, artifact.execution ?? '-'];
}

async function projectOrNothing(client: Client, name: string): Promise<ProjectView | undefined> {
  try {
    return await client.project(name);
  } catch (error) {
    if (error instanceof CliError && error.code === EXIT.refused) return undefined;
    throw error;
  }
}

export function printed(cli: Cli, heads: string[], rows: string[][]): string {
  return table([heads, ...rows], (cell, row) => (row === 0 ? cli.style.dim(cell) : paintState(cell, cli.style)));
}

export function paintState(cell: string, style: Style): string {
  if (cell === 'Succeeded' || cell.startsWith('live: ')) return style.green(cell);
  if (cell === 'Failed') return style.red(cell);
  return cell === 'Running' || cell === 'Queued' || cell === 'Pending' ? style.yellow(cell) : cell;
}

function more(found: { continue?: string }): string {
  return found.continue === undefined ? '' : '… and more: --limit, up to 200, or --json and "continue"\n';
}
