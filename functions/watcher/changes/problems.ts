// What is wrong with an object that a person wrote: what its schema says, and what a schema cannot say. Pure.
import { releaseName } from '../../../shared/decisions/names.ts';
import { type Kind, kinds, type Obj, type StatusOf } from '../../../shared/objects/kinds.ts';
import { projectName } from '../../../shared/objects/project.ts';

/** Kinds that people write; the others are written by functions, which check what they write. */
export type Written = 'Project' | 'Pipeline' | 'Hook' | 'Credential' | 'Artifact' | 'Release';

/** Of those: what a status needs to have beside conditions. */
export const EMPTY_STATUS: { [K in Written]: StatusOf<K> } = {
  Project: {},
  Pipeline: {},
  Hook: { deliveries: [] },
  Credential: {},
  Artifact: { phase: 'Unresolved' },
  Release: { history: [] },
};

const SHOWN = 10;
const MAX_MESSAGE = 1000;

/** A sentence for each thing that is wrong; none: it is as it should be. */
export function problemsOf(object: Obj): string[] {
  if (!isWritten(object.kind)) return [];
  const checked = kinds[object.kind].spec.safeParse(object.spec);
  if (!checked.success) return checked.error.issues.slice(0, SHOWN).map(({ path, message }) => `${['spec', ...path].join('.')}: ${message}`);
  return beyondSchema(object);
}

export function isValid(object: Obj): boolean {
  return problemsOf(object).length === 0;
}

/** The sentences as one message of a condition. */
export function messageOf(problems: readonly string[]): string {
  return problems.join('; ').slice(0, MAX_MESSAGE);
}

function isWritten(kind: Kind): kind is Written {
  return Object.hasOwn(EMPTY_STATUS, kind);
}

function beyondSchema(object: Obj): string[] {
  const { name } = object.metadata;
  if (object.kind === 'Project') {
    const checked = projectName.safeParse(name);
    return checked.success ? [] : checked.error.issues.map(({ message }) => `metadata.name: ${message}`);
  }
  if (object.kind === 'Release') {
    const { project, environment, host } = (object as Obj<'Release'>).spec;
    const wanted = releaseName(project, environment);
    const of = `for environment ${environment} of project ${project}`;
    return [...(name === wanted ? [] : [`metadata.name: must be ${wanted} ${of}`]), ...(host === wanted ? [] : [`spec.host: must be ${wanted} ${of}`])];
  }
  return [];
}
