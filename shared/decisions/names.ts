// Names and labels of objects, all derived: the same cause gives the same name, so that doing a thing again finds it there.
import { hash, shortHash } from '../events/ids.ts';
import { LABEL } from '../objects/meta.ts';
import type { Obj, SpecOf } from '../objects/kinds.ts';
import { PRODUCTION } from '../objects/release.ts';
import { canonicalRepository } from './source/repository.ts';

/** Where objects stand when nobody says where. */
export const DEFAULT_NAMESPACE = 'default';

/** A DNS label of at most 63 characters: what pods, label values and host names can carry. */
const MAX_LABEL = 63;

/** `value` as a DNS label of at most `max` characters; a hash is added where something had to be changed or cut. */
export function dnsLabel(value: string, max = MAX_LABEL): string {
  const plain = value
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  if (plain && plain === value && plain.length <= max) return plain;
  const suffix = shortHash(value).slice(0, 6);
  const kept = plain.slice(0, max - suffix.length - 1).replace(/-+$/, '');
  return kept ? `${kept}-${suffix}` : `x-${suffix}`;
}

/** The short name of a branch or tag: refs/heads/main → main. */
export function shortRef(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, '');
}

/** Where a secret that a run may name is kept. Tasks name secrets of this prefix only, so that none can name one of tidemill's own. */
export function runSecretName(namespace: string, name: string): string {
  return `run.${namespace}.${name}`;
}

/** A Credential as the Git port takes it: what a project names stands in the project's own namespace. */
export function credentialRef(namespace: string, name: string): string {
  return namespace === DEFAULT_NAMESPACE ? name : `${namespace}/${name}`;
}

/** What a reference means; the other way round. */
export function parseCredentialRef(ref: string): { namespace: string; name: string } {
  const slash = ref.indexOf('/');
  return slash < 0 ? { namespace: DEFAULT_NAMESPACE, name: ref } : { namespace: ref.slice(0, slash), name: ref.slice(slash + 1) };
}

/** Where a project's versions stand in Storage. Two projects of one name in two namespaces are two: a project's name holds no ".". */
export function storageFolder(namespace: string, project: string): string {
  return namespace === DEFAULT_NAMESPACE ? project : `${namespace}.${project}`;
}

export function isTag(ref: string): boolean {
  return ref.startsWith('refs/tags/');
}

/** Full name of a branch that may already be one. */
export function branchRef(branch: string): string {
  return branch.startsWith('refs/') ? branch : `refs/heads/${branch}`;
}

/** One lane for each branch of a project; its tags share one, as do commits asked for by SHA. */
export function laneName(project: string, ref: string): string {
  if (isTag(ref)) return `${project}.tags`;
  if (!ref.startsWith('refs/heads/')) return `${project}.commits`;
  return `${project}.branch.${dnsLabel(shortRef(ref))}`;
}

/** `cause`: name of the Push, or id of the event, that asked for it. */
export function executionName(project: string, cause: string): string {
  return `${project}-${shortHash(project, cause)}`;
}

/** Such a name, with its project as the first group. */
export const executionPattern = /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)-[0-9a-z]{10}$/;

/** The source of all executions of a project at one commit: at most 60 characters, so that it can be a label's value. `sha`: full. */
export function commitName(project: string, { url, credential }: SpecOf<'Project'>['source'], sha: string): string {
  return `${project}.${sha.slice(0, 12)}-${shortHash(url, credential ?? '', sha).slice(0, 6)}`;
}

/** Such a name, with its project as the first group. */
export const commitPattern = /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\.[0-9a-f]{12}-[0-9a-z]{6}$/;

/** The source of one execution, where its commit has to be found out, or where that of the commit is not resolved. */
export function sourceName(execution: string): string {
  return `${execution}-source`;
}

export function siteName(taskRun: string): string {
  return `${taskRun}.site`;
}

/** One TaskRun for each step of each stage of an execution. A "-" in them would leave open where the stage ends: then a hash tells. */
export function taskRunName(execution: string, stage: string, step: string): string {
  const whole = `${execution}-${stage}-${step}`;
  if (whole.length <= MAX_LABEL && !stage.includes('-') && !step.includes('-')) return whole;
  const suffix = shortHash(execution, stage, step);
  return `${whole.slice(0, MAX_LABEL - suffix.length - 1).replace(/-+$/, '')}-${suffix}`;
}

/** The nth (from 0) push of a ref from one commit to another. */
export function pushName(repository: string, ref: string, before: string, after: string, occurrence: number): string {
  return `push-${hash(canonicalRepository(repository), ref, before, after)}${occurrence === 0 ? '' : `-${occurrence}`}`;
}

/** Short name of the branch whose builds are released to production. */
export function productionBranch({ spec, status }: Pick<Obj<'Project'>, 'spec' | 'status'>): string {
  return spec.source.branch ?? status?.defaultBranch ?? 'main';
}

/** "production" for the default branch, else a preview of the branch. */
export function environmentOf(ref: string, defaultBranch: string): string {
  const branch = shortRef(ref);
  return branch === defaultBranch ? PRODUCTION : `preview-${dnsLabel(branch, 50)}`;
}

/** First label of the host name that an environment is served on; it is the Release's name as well. */
export function releaseName(project: string, environment: string): string {
  if (environment === PRODUCTION) return project;
  const branch = environment.replace(/^preview-/, '');
  // "xn--…" would be taken for an encoded international name, which browsers refuse when it is none.
  return `${dnsLabel(branch === 'xn' ? 'xn-' : branch, MAX_LABEL - project.length - 2)}--${project}`;
}

/** A label value that stands for a text of any length and characters. */
export function labelHash(...parts: string[]): string {
  return hash(...parts);
}

export function repositoryLabel(repository: string): string {
  return labelHash(canonicalRepository(repository));
}

export function projectLabels(spec: SpecOf<'Project'>): Record<string, string> {
  return { [LABEL.repository]: repositoryLabel(spec.source.url) };
}

/** Hooks without a project hear of all: found under the empty label. */
export function hookLabels(spec: SpecOf<'Hook'>): Record<string, string> {
  return { [LABEL.project]: spec.project ?? '' };
}
