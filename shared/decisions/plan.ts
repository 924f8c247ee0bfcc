// Which pipeline a commit has: the project's own, else the repository's .tidemill.yaml, else what its files suggest. Pure.
import type { SpecOf } from '../objects/kinds.ts';
import type { Stage } from '../objects/pipeline.ts';
import { type BuildFiles, type Folder, planBuild } from './plan/build.ts';
import { PLAN_FILE, type PlanFile, parsePlanFile } from './plan/file.ts';
import { completeStages } from './plan/steps.ts';

type Project = SpecOf<'Project'>;
type Site = Project['site'];

/** What is read of a repository at a commit. */
export interface Reader {
  /** Names in a folder, folders ending in "/"; undefined: there is no such folder. "" is the root. */
  list(path: string): Promise<string[] | undefined>;
  /** Undefined: there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
}

export interface PlanFiles extends BuildFiles {
  /** Text of .tidemill.yaml. */
  config?: string;
  /** .tidemill.yml, which is not read. */
  misnamed?: boolean;
}

export interface Planned {
  stages: Stage[];
  /** For people: where the definition came from. */
  definedBy: string;
  /** How the site is to be served, as .tidemill.yaml and over it the project say. */
  site?: NonNullable<Site>;
}

/** Reads what planPipeline() needs to know, and no more: four small files and the names in the front end's folder and above. */
export async function planFiles(project: Project, reader: Reader): Promise<PlanFiles> {
  if (project.stages || project.pipeline) return { folders: [] };
  const root = (await reader.list('')) ?? [];
  const config = root.includes(PLAN_FILE) ? await text(reader, PLAN_FILE) : undefined;
  const parsed = config === undefined ? undefined : parsePlanFile(config);
  const directory = project.build?.directory ?? (parsed && 'file' in parsed ? parsed.file.build?.directory : undefined) ?? '';
  const folders = await foldersUp(reader, directory, root);
  const own = folders[0];
  const packageJson = own?.names.includes('package.json') ? await text(reader, own.path === '' ? 'package.json' : `${own.path}/package.json`) : undefined;
  const rootPackageJson = own && own.path !== '' && root.includes('package.json') ? await text(reader, 'package.json') : undefined;
  return {
    folders,
    ...(config !== undefined && { config }),
    ...(root.includes('.tidemill.yml') && { misnamed: true }),
    ...(packageJson !== undefined && { packageJson }),
    ...(rootPackageJson !== undefined && { rootPackageJson }),
  };
}

const MAX_FOLDERS = 20;

/** The folder and each above it, the root last. Empty: there is no such folder. */
async function foldersUp(reader: Reader, directory: string, root: string[]): Promise<Folder[]> {
  const parts = directory
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .slice(0, MAX_FOLDERS);
  const folders: Folder[] = [];
  for (let length = parts.length; length > 0; length--) {
    const path = parts.slice(0, length).join('/');
    const names = await reader.list(path);
    if (!names) return [];
    folders.push({ path, names });
  }
  return [...folders, { path: '', names: root }];
}

async function text(reader: Reader, path: string): Promise<string | undefined> {
  const bytes = await reader.read(path);
  return bytes && Buffer.from(bytes).toString('utf8');
}

export interface PlanInput {
  project: Project;
  files: PlanFiles;
  /** Full SHA. */
  sha: string;
  /** Stages of the Pipeline that the project names. */
  pipeline?: Stage[];
}

/** The stages as they are run, whole Tekton Tasks; or a sentence for people on why there are none. */
export function planPipeline({ project, files, sha, pipeline }: PlanInput): Planned | { error: string } {
  const source = { project, sha };
  if (project.stages) return named(completeStages(project.stages, source), 'The stages of the project', project.site);
  if (project.pipeline) {
    if (!pipeline) return { error: `The project names the pipeline ${project.pipeline}, which does not exist; create it, or take it out of the project` };
    return named(completeStages(pipeline, source), `The pipeline ${project.pipeline}, which the project names`, project.site);
  }
  if (files.misnamed && files.config === undefined) return { error: `The repository holds .tidemill.yml, which is not read; rename it to ${PLAN_FILE}` };
  const parsed: { file: PlanFile } | { error: string } = files.config === undefined ? { file: {} } : parsePlanFile(files.config);
  if ('error' in parsed) return parsed;
  const { file } = parsed;
  const site = file.site || project.site ? { ...file.site, ...project.site } : undefined;
  const where = `${PLAN_FILE} of the repository at ${sha.slice(0, 12)}`;
  if (file.stages) {
    const both = file.build && `${PLAN_FILE} has both "stages" and "build"; what builds is one or the other: take one out`;
    return both ? { error: both } : named(completeStages(file.stages, source), where, site);
  }
  const build = { ...file.build, ...project.build, ...((file.build?.env || project.build?.env) && { env: { ...file.build?.env, ...project.build?.env } }) };
  const planned = planBuild(build, files, source);
  if ('error' in planned) return planned;
  return named({ stages: planned.stages }, file.build ? `${planned.definedBy}, with the settings of ${where}`.slice(0, 512) : planned.definedBy, site);
}

function named(completed: { stages: Stage[] } | { error: string }, definedBy: string, site: Site): Planned | { error: string } {
  if ('error' in completed) return completed;
  return { stages: completed.stages, definedBy, ...(site && { site }) };
}
