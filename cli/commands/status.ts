// tidemill status: how the server, or one project, is doing.
import type { ExecutionSummary } from '../../functions/api/executions/execution-view.ts';
import type { ProjectView } from '../../functions/api/projects/project-view.ts';
import type { Cli, Define } from '../cli.ts';
import type { Client } from '../client/client.ts';
import { ago, counted, shortRef, shortSha, titles } from '../terminal/format.ts';
import { plain, plainLines } from '../terminal/io.ts';
import { EXECUTION_HEADS, executionRow, printed } from './list.ts';

const EXECUTIONS_SHOWN = 5;
const PUSHES_SHOWN = 3;
const PROJECTS_SHOWN = 50;

export const define: Define = (program, cli) => {
  program
    .command('status')
    .summary('how the server or one project is doing')
    .description('Shows what is live and what happened last, of one project or of all.')
    .argument('[project]')
    .addHelpText('before', 'Examples:\n  tidemill status\n  tidemill status docs\n  tidemill status docs --json\n')
    .action(async (project: string | undefined) => {
      const client = await cli.client();
      await (project === undefined ? serverStatus(cli, client) : projectStatus(cli, client, project));
    });
};

async function serverStatus(cli: Cli, client: Client): Promise<void> {
  const [projects, running, dead] = await Promise.all([
    client.projects({ limit: PROJECTS_SHOWN }),
    client.executions({ phase: 'Running', limit: 50 }),
    client.deadLetters({ limit: 50 }),
  ]);
  const value = { url: client.server.url, projects: projects.items, running: running.items, deadLetters: dead.items.length };
  cli.answer(value, () => {
    const many = (list: { items: unknown[]; continue?: string }, one: string) =>
      `${list.continue === undefined ? '' : 'over '}${counted(list.items.length, one)}`;
    const lines = [`${cli.style.bold(client.server.url)}  ${many(projects, 'project')}, ${many(running, 'build')} running`];
    const title = titles(projects.items);
    for (const project of projects.items) lines.push(`  ${projectLine(cli, title(project), project)}`);
    if (dead.items.length > 0) lines.push(cli.style.yellow(`${many(dead, 'event')} given up: tidemill deadletters list`));
    return lines.join('\n');
  });
}

function projectLine(cli: Cli, name: string, { releases, lastExecution, url }: ProjectView): string {
  const live = releases.find((release) => release.environment === 'production')?.current;
  const last = lastExecution && lastExecution.phase !== 'Succeeded' ? `  ${cli.style.yellow(`last build ${lastExecution.phase}`)}` : '';
  return `${name}  ${live ? `${url}  ${live.version}, ${ago(live.at)}` : 'nothing is live'}${last}`;
}

async function projectStatus(cli: Cli, client: Client, name: string): Promise<void> {
  const [project, executions, pushes] = await Promise.all([
    client.project(name),
    client.executions({ project: name, limit: EXECUTIONS_SHOWN }),
    client.pushes({ project: name, limit: PUSHES_SHOWN }),
  ]);
  cli.answer({ project, executions: executions.items, pushes: pushes.items }, () => {
    const { style } = cli;
    const branch = project.source.branch ?? project.status?.defaultBranch;
    const parts = [
      `${style.bold(project.name)}  ${project.source.url}${branch === undefined ? '' : `  ${branch}`}${project.paused ? style.yellow('  paused') : ''}\n`,
    ];
    parts.push(liveLines(cli, project));
    const why = project.status?.conditions?.find((condition) => condition.type === 'Ready' && condition.status === 'False');
    if (why?.message) parts.push(style.red(`The repository cannot be read: ${plain(why.message)}`));
    if (executions.items.length > 0) parts.push(printed(cli, EXECUTION_HEADS, executions.items.map(executionRow)));
    parts.push(...whyBad(cli, executions.items));
    for (const push of pushes.items) {
      const skipped = push.skipped ?? push.results.find((result) => result.project === name && result.namespace === project.namespace)?.skipped;
      if (skipped) parts.push(style.dim(`Push of ${[shortRef(push.ref), shortSha(push.after)].filter(Boolean).join(' ')} built nothing: ${plain(skipped)}`));
    }
    return parts.join('\n');
  });
}

/** Why the newest build failed or was cancelled; those before it are told by `tidemill logs`. */
function whyBad(cli: Cli, [newest]: readonly ExecutionSummary[]): string[] {
  if (!newest?.message || (newest.phase !== 'Failed' && newest.phase !== 'Cancelled')) return [];
  return [`${cli.style.red(`${newest.name} ${newest.phase === 'Failed' ? 'failed' : 'was cancelled'}`)}: ${plainLines(newest.message, '  ')}\n`];
}

function liveLines(cli: Cli, project: ProjectView): string {
  const lines = project.releases.flatMap(({ environment, current, url, refused }) => {
    if (!current) return [];
    const newer = refused && Date.parse(refused.at) > Date.parse(current.at) ? `\n  ${cli.style.yellow(`then refused: ${plain(refused.reason)}`)}` : '';
    return [`${cli.style.green('●')} ${environment}  ${cli.style.bold(url)}  ${current.version}, ${ago(current.at)}${newer}\n`];
  });
  return lines.length > 0 ? lines.join('') : 'Nothing is live.\n';
}
