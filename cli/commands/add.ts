// tidemill add: registers a repository, then shows its first build.
import { Option } from 'commander';
import type { CreatedProject, CreateProject } from '../../functions/api/projects/projects.ts';
import type { Define } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { follow } from '../follow.ts';
import { tellOutcome } from '../outcome.ts';
import { projectNameOf, sourceUrl } from '../source.ts';

interface Options {
  branch?: string;
  directory?: string;
  install?: string;
  build?: string;
  output?: string;
  env?: Record<string, string>;
  credential?: string;
  poll?: string;
  spa?: true;
  lane?: 'queue' | 'supersede' | 'parallel';
  autoRelease: boolean;
  previews: boolean;
  submodules?: true;
  wait: boolean;
}

export const define: Define = (program, cli) => {
  program
    .command('add')
    .summary('build and serve a repository')
    .description('Registers a repository, builds the head of its branch, and serves what comes of it.')
    .usage('[project] <source> [options]')
    .argument('<project>', 'name, which is also the first part of its address; left out: the name of the repository')
    .argument('[source]', 'path of a local repository, or its address (https://…, ssh://…, git@host:path)')
    .addHelpText(
      'before',
      `Examples:
  tidemill add ~/code/docs
  tidemill add docs https://github.com/you/docs.git --branch main
  tidemill add app ~/code/monorepo --directory packages/app --build "npm run build:web" --output dist --spa
  tidemill add intranet git@git.example.org:web/intranet.git --credential deploy-key --poll 1m
`,
    )
    .option('--branch <name>', 'branch that is released; default: the repository’s own')
    .option('--directory <path>', 'folder of the front end in its repository')
    .option('--install <command>', 'installs what the build needs; "" for none')
    .option('--build <command>', 'builds; "" for none')
    .option('--output <path>', 'folder that the build leaves the site in')
    .option('--env <name=value>', 'for install and build; may be repeated; not for secrets', collectEnv)
    .option('--credential <name>', 'for a private repository; see tidemill credential')
    .option('--poll <duration>', 'look for new commits so often, such as 1m')
    .option('--spa', 'index.html answers every path that is no file')
    .addOption(new Option('--lane <mode>', 'a push while one of its branch is being built').choices(['queue', 'supersede', 'parallel']))
    .option('--no-auto-release', 'build only; release by tidemill deploy')
    .option('--no-previews', 'do not serve other branches')
    .option('--submodules', 'fetch submodules too')
    .option('--no-wait', 'do not wait for the first build')
    .action(async (first: string, second: string | undefined, options: Options) => {
      const { name, source } = nameAndSource(first, second, cli.io.cwd);
      const client = await cli.client();
      const project = await client.addProject(createBody(name, source, options));
      cli.note(`Added ${project.name}: ${project.source.url}`);
      if (!options.wait || !project.firstBuild) return cli.answer({ project }, project.firstBuild ? project.url : nothingToBuild(project));
      tellOutcome(cli, await follow(cli, client, project), project.name);
    });
};

function nothingToBuild(project: CreatedProject): string {
  const branch = project.source.branch ?? project.status?.defaultBranch;
  return project.paused
    ? 'It is paused, so nothing is built.'
    : `It has no commit${branch === undefined ? '' : ` on ${branch}`} yet; the first one that is pushed will be built.`;
}

/** With one word it is the source. */
function nameAndSource(first: string, second: string | undefined, cwd: string): { name: string; source: string } {
  if (second !== undefined) return { name: first, source: sourceUrl(second, cwd) };
  const source = sourceUrl(first, cwd);
  return { name: projectNameOf(source), source };
}

function createBody(name: string, url: string, options: Options): CreateProject {
  const { branch, credential, submodules, directory, install, build, output, env, poll, spa, lane, autoRelease, previews } = options;
  const how = given({ directory, install, build, output, env });
  return {
    name,
    source: { url, ...given({ branch, credential, submodules }) },
    ...(Object.keys(how).length > 0 && { build: how }),
    ...(spa && { site: { fallback: 'spa' as const } }),
    ...(lane && { lane: { mode: lane } }),
    ...((!autoRelease || !previews) && { release: { auto: autoRelease, previews } }),
    ...given({ poll }),
  };
}

function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function collectEnv(word: string, all: Record<string, string> = {}): Record<string, string> {
  const at = word.indexOf('=');
  if (at < 1) throw new CliError(EXIT.usage, `--env wants NAME=VALUE, not "${word}"`);
  return { ...all, [word.slice(0, at)]: word.slice(at + 1) };
}
