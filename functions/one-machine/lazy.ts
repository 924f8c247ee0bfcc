// What is loaded when it is first asked for, so that a start does not wait for it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiDeps } from '../api/deps.ts';
import type { Site, SiteOptions } from '../site/site.ts';

export interface LazySite {
  serve(request: IncomingMessage, response: ServerResponse, host: string): void | Promise<void>;
  /** Follows no release any longer. */
  close(): Promise<void>;
}

export type Api = (request: Request) => Promise<Response>;

export function lazySite(options: SiteOptions): LazySite {
  let loaded: Site | undefined;
  let loading: Promise<Site> | undefined;
  const load = async () => (loaded = (await import('../site/site.ts')).createSite(options));
  return {
    serve: (request, response, host) => {
      if (loaded) return loaded(request, response, host);
      loading ??= load();
      return loading.then((site) => site(request, response, host));
    },
    close: async () => (await loading)?.close(),
  };
}

export function lazyApi(deps: ApiDeps): Api {
  let api: Promise<{ fetch(request: Request): Response | Promise<Response> }> | undefined;
  return async (request) => {
    api ??= import('../api/api.ts').then(({ createApi }) => createApi(deps));
    return (await api).fetch(request);
  };
}
