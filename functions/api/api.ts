// tidemill's own REST API, /api/v1. Whoever listens has already checked the token, Host and Origin.
import { Hono } from 'hono';
import { createArchive } from '../../shared/host/archive.ts';
import { artifacts } from './releases/artifacts.ts';
import { credentials } from './connections/credentials.ts';
import { deadLetters } from './connections/deadletters.ts';
import type { Api, ApiDeps } from './deps.ts';
import { executionLogs } from './executions/execution-logs.ts';
import { isArchived } from './executions/archived.ts';
import { executions } from './executions/executions.ts';
import { hooks } from './connections/hooks.ts';
import { type Home, homeOf } from './http/namespaces.ts';
import { Problem, toProblem, toResponse } from './http/problem.ts';
import { projects } from './projects/projects.ts';
import { pushes } from './connections/pushes.ts';
import { releases } from './releases/releases.ts';
import { secrets } from './connections/secrets.ts';
import { watches } from './executions/watch.ts';

export const BASE_PATH = '/api/v1';

/** Answers every request below /api/v1; never throws. Errors are RFC 9457 problem+json. */
export function createApi(deps: ApiDeps): { fetch(request: Request): Promise<Response> } {
  const usual = deps.namespace ?? 'default';
  const only: ReadonlySet<string> = new Set([usual]);
  const archive = createArchive(deps);
  const seenFrom = ({ namespace, listed }: Home): Api => ({
    ...deps,
    namespace,
    usual,
    listed,
    namespaces: deps.namespaces ?? (() => Promise.resolve(only)),
    archive,
    at: (other) => seenFrom({ namespace: other, listed: other }),
    isArchived: (kind, name) => isArchived({ archive, namespace }, kind, name),
  });
  // With one namespace there is nothing to tell apart, and nothing to look for elsewhere.
  const api = seenFrom({ namespace: usual, listed: deps.namespaces ? undefined : usual });
  const apps = new Map<string, Hono>();
  const appOf = (home: Home): Hono => {
    const key = `${home.namespace} ${home.listed ?? ''}`;
    const known = apps.get(key);
    if (known) return known;
    if (apps.size >= MAX_APPS) apps.clear();
    const app = routes(seenFrom(home));
    apps.set(key, app);
    return app;
  };
  return {
    fetch: async (request) => {
      const response = await homeOf(api, request, BASE_PATH).then(
        (home) => appOf(home).fetch(request),
        (error: unknown) => refusal(api, error, request),
      );
      response.headers.set('cache-control', 'no-store');
      return response;
    },
  };
}

/** Each namespace has its routes, made when it is first asked for. */
const MAX_APPS = 500;

function routes(api: Api): Hono {
  const app = new Hono().basePath(BASE_PATH);
  for (const resource of [projects, executions, executionLogs, watches, releases, artifacts, pushes, hooks, secrets, credentials, deadLetters])
    resource(app, api);
  app.notFound((c) => toResponse(new Problem(404, 'no-such-route', `There is nothing at ${c.req.method} ${new URL(c.req.url).pathname.slice(0, 300)}.`)));
  app.onError((error, c) => refusal(api, error, c.req.raw));
  return app;
}

function refusal({ log }: Api, error: unknown, request: Request): Response {
  const problem = toProblem(error);
  if (problem.status >= 500) log.error({ err: error, method: request.method, path: new URL(request.url).pathname }, 'a request failed');
  return toResponse(problem);
}
