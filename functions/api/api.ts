// tidemill's own REST API, /api/v1. Whoever listens has already checked the token, Host and Origin.
import { Hono } from 'hono';
import { createArchive } from '../../shared/host/archive.ts';
import { artifacts } from './releases/artifacts.ts';
import { credentials } from './connections/credentials.ts';
import { deadLetters } from './connections/deadletters.ts';
import type { Api, ApiDeps } from './deps.ts';
import { executionLogs } from './executions/execution-logs.ts';
import { executions } from './executions/executions.ts';
import { hooks } from './connections/hooks.ts';
import { Problem, toProblem, toResponse } from './http/problem.ts';
import { projects } from './projects/projects.ts';
import { pushes } from './connections/pushes.ts';
import { releases } from './releases/releases.ts';
import { secrets } from './connections/secrets.ts';
import { watches } from './executions/watch.ts';

export const BASE_PATH = '/api/v1';

/** Answers every request below /api/v1; never throws. Errors are RFC 9457 problem+json. */
export function createApi(deps: ApiDeps): { fetch(request: Request): Promise<Response> } {
  const api: Api = { ...deps, namespace: deps.namespace ?? 'default', archive: createArchive(deps) };
  const app = new Hono().basePath(BASE_PATH);
  for (const resource of [projects, executions, executionLogs, watches, releases, artifacts, pushes, hooks, secrets, credentials, deadLetters])
    resource(app, api);
  app.notFound((c) => toResponse(new Problem(404, 'no-such-route', `There is nothing at ${c.req.method} ${new URL(c.req.url).pathname.slice(0, 300)}.`)));
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem.status >= 500) api.log.error({ err: error, method: c.req.method, path: new URL(c.req.url).pathname }, 'a request failed');
    return toResponse(problem);
  });
  return {
    fetch: async (request) => {
      const response = await app.fetch(request);
      response.headers.set('cache-control', 'no-store');
      return response;
    },
  };
}
