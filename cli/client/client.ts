// A typed client of the API: one method for each thing that a command asks for.
import { randomUUID } from 'node:crypto';
import type { ArtifactView, VersionView } from '../../functions/api/releases/artifacts.ts';
import type { CredentialView } from '../../functions/api/connections/credentials.ts';
import type { DeadLetterView } from '../../functions/api/connections/deadletters.ts';
import type { ExecutionLogLine } from '../../functions/api/executions/execution-logs.ts';
import type { ExecutionSummary, ExecutionView } from '../../functions/api/executions/execution-view.ts';
import type { RequestedExecution } from '../../functions/api/executions/executions.ts';
import type { CreatedHook, HookView } from '../../functions/api/connections/hooks.ts';
import type { DeletedProject } from '../../functions/api/projects/project-delete.ts';
import type { ProjectView } from '../../functions/api/projects/project-view.ts';
import type { CreatedProject, CreateProject } from '../../functions/api/projects/projects.ts';
import type { PushView } from '../../functions/api/connections/pushes.ts';
import type { ReleaseView } from '../../functions/api/releases/release-view.ts';
import type { ReleaseOutcome } from '../../functions/api/releases/releases.ts';
import type { Change } from '../../functions/api/executions/watch.ts';
import { call, lines, type Method, type Server } from './http.ts';

export interface Listed<T> {
  items: T[];
  continue?: string;
}

type Query = Record<string, string | number | undefined>;

const WAIT_FOR_RELEASE_S = 30;

export interface Client extends ReturnType<typeof createCalls> {
  /** The same, of one namespace. */
  within(namespace: string): Client;
}

/** `namespace`: of all that is asked for; absent: names are found wherever they stand. */
export function createClient(server: Server, namespace?: string): Client {
  return { ...createCalls(server, namespace), within: (other) => createClient(server, other) };
}

function createCalls(server: Server, namespace: string | undefined) {
  const search = (query: Query) => searchOf({ ...query, namespace });
  const get = <T>(path: string, query: Query = {}) => call<T>(server, 'GET', path + search(query));
  // Each command is one request, told as often as it takes.
  const send = <T>(method: Method, path: string, body?: unknown, query: Query = {}) =>
    call<T>(server, method, path + search(query), { ...(body !== undefined && { body }), idempotencyKey: randomUUID() });
  const at = (...parts: string[]) => `/${parts.map(encodeURIComponent).join('/')}`;

  return {
    server,
    projects: (query: Query = {}) => get<Listed<ProjectView>>('/projects', query),
    project: (name: string) => get<ProjectView>(at('projects', name)),
    addProject: (project: CreateProject) => send<CreatedProject>('POST', '/projects', project),
    changeProject: (name: string, change: Record<string, unknown>) => send<ProjectView>('PATCH', at('projects', name), change),
    removeProject: (name: string) => send<DeletedProject>('DELETE', at('projects', name)),
    watch: (signal: AbortSignal) => lines<Change>(server, `/watch${search({})}`, signal),
    watchProject: (name: string, signal: AbortSignal, execution?: string) =>
      lines<Change>(server, at('projects', name, 'watch') + search({ execution }), signal),

    executions: (query: Query = {}) => get<Listed<ExecutionSummary>>('/executions', query),
    execution: (name: string) => get<ExecutionView>(at('executions', name)),
    trigger: (project: string, ref?: string) => send<RequestedExecution>('POST', at('projects', project, 'executions'), ref === undefined ? {} : { ref }),
    rerun: (name: string) => send<RequestedExecution>('POST', at('executions', name, 'rerun'), {}),
    cancel: (name: string, reason?: string) => send<{ execution: string }>('POST', at('executions', name, 'cancel'), reason === undefined ? {} : { reason }),
    logs: (name: string, query: { follow?: 1; step?: string | undefined; after?: string | undefined }, signal: AbortSignal) =>
      lines<ExecutionLogLine>(server, at('executions', name, 'logs') + search(query), signal),

    releases: (query: Query = {}) => get<Listed<ReleaseView>>('/releases', query),
    deploy: (project: string, body: { version: string; environment?: string }) =>
      send<ReleaseOutcome>('POST', at('projects', project, 'deploy'), body, { wait: WAIT_FOR_RELEASE_S }),
    rollback: (project: string, body: { version?: string; environment?: string }) =>
      send<ReleaseOutcome>('POST', at('projects', project, 'rollback'), body, { wait: WAIT_FOR_RELEASE_S }),
    versions: (project: string, query: Query = {}) => get<Listed<VersionView>>(at('projects', project, 'versions'), query),
    artifacts: (query: Query = {}) => get<Listed<ArtifactView>>('/artifacts', query),
    pushes: (query: Query = {}) => get<Listed<PushView>>('/pushes', query),

    hooks: (query: Query = {}) => get<Listed<HookView>>('/hooks', query),
    addHook: (hook: { url: string; name?: string; types?: string[]; project?: string }) => send<CreatedHook>('POST', '/hooks', hook),
    hook: (name: string) => get<HookView>(at('hooks', name)),
    removeHook: (name: string) => send<void>('DELETE', at('hooks', name)),
    testHook: (name: string) => send<{ hook: string; event: string }>('POST', at('hooks', name, 'test'), {}),

    setSecret: (name: string, value: string) => send<void>('PUT', at('secrets', name), { value }),
    removeSecret: (name: string) => send<void>('DELETE', at('secrets', name)),
    credentials: (query: Query = {}) => get<Listed<CredentialView>>('/credentials', query),
    addCredential: (credential: { name: string; type: 'basic' | 'ssh'; host: string; username?: string; value: string }) =>
      send<CredentialView>('POST', '/credentials', credential),
    removeCredential: (name: string) => send<void>('DELETE', at('credentials', name)),

    deadLetters: (query: Query = {}) => get<Listed<DeadLetterView>>('/deadletters', query),
    redrive: (id: string) => send<{ id: string }>('POST', at('deadletters', id, 'redrive'), {}),
  };
}

function searchOf(query: Query): string {
  const given = Object.entries(query).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  return given.length > 0 ? `?${new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)])).toString()}` : '';
}
