// What is loaded when it is first asked for, so that a start does not wait for it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiDeps } from '../api/deps.ts';
import type { SiteOptions } from '../site/site.ts';

export type Site = (request: IncomingMessage, response: ServerResponse, host: string) => void | Promise<void>;

export type Api = (request: Request) => Promise<Response>;

export function lazySite(options: SiteOptions): Site {
  let site: Promise<Site> | undefined;
  let loaded: Site | undefined;
  const load = async () => (loaded = (await import('../site/site.ts')).createSite(options));
  return (request, response, host) => {
    if (loaded) return loaded(request, response, host);
    site ??= load();
    return site.then((serve) => serve(request, response, host));
  };
}

export function lazyApi(deps: ApiDeps): Api {
  let api: Promise<{ fetch(request: Request): Response | Promise<Response> }> | undefined;
  return async (request) => {
    api ??= import('../api/api.ts').then(({ createApi }) => createApi(deps));
    return (await api).fetch(request);
  };
}
