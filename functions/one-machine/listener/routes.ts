// Which part of the server answers a request: by its Host first, then by its path.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../../shared/host/contract.ts';
import { isSmall, linger } from '../../github-webhook/answer.ts';
import { apiRefusal, foreignHost, hostKind, type Refusal, tokenCheck } from './guard.ts';
import { type SiteLink, sendPage } from './page.ts';

type Respond = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface Routes {
  /** POST /webhooks/github, with whatever Host: its signature protects it, and it may come through a tunnel. */
  webhook: Respond;
  /** A request to <label>.localhost. */
  site: (request: IncomingMessage, response: ServerResponse, label: string) => void | Promise<void>;
  /** Below /api; what comes here has passed the guard. */
  api: (request: Request) => Response | Promise<Response>;
  /** What the API wants as Bearer. */
  token: string;
  /** For the page at "/". */
  sites: () => Promise<SiteLink[]>;
  /** For /readyz: undefined when ready, else why not. */
  notReady?: () => string | undefined;
  log: Log;
}

const WEBHOOK = '/webhooks/github';

export function createRouter(routes: Routes): (request: IncomingMessage, response: ServerResponse) => void {
  const { log } = routes;
  const isToken = tokenCheck(routes.token);
  let apiListener: Promise<Respond> | undefined;

  const api: Respond = async (request, response) => {
    const refusal = apiRefusal({ method: request.method ?? '', headers: request.headers }, isToken);
    if (refusal) return refuse(request, response, refusal);
    // Loaded at the first use: most starts of a server are not waiting for the API.
    apiListener ??= import('@hono/node-server').then(({ getRequestListener }) => getRequestListener(routes.api, { overrideGlobalObjects: false }));
    if (request.headers.expect) response.writeContinue();
    await (
      await apiListener
    )(request, response);
  };

  const own: Respond = async (request, response) => {
    const { method = '' } = request;
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (path === '/api' || path.startsWith('/api/')) return api(request, response);
    if (!['/', '/healthz', '/readyz'].includes(path)) return refuse(request, response, NOT_FOUND(path));
    if (method !== 'GET' && method !== 'HEAD') return refuse(request, response, READ_ONLY(path), { Allow: 'GET, HEAD' });
    if (path === '/') return sendPage(response, await routes.sites(), method);
    if (path === '/healthz') return sendText(response, 200, 'ok\n');
    const reason = routes.notReady?.();
    return sendText(response, reason === undefined ? 200 : 503, `${reason ?? 'ready'}\n`);
  };

  const route = (request: IncomingMessage, response: ServerResponse): void | Promise<void> => {
    const host = hostKind(request.headers.host);
    const url = request.url ?? '';
    if (!url.startsWith('/')) return refuse(request, response, NO_PROXY);
    if (host.kind === 'site') {
      if (request.headers.expect) response.writeContinue();
      return routes.site(request, response, host.label);
    }
    if (url === WEBHOOK || url.startsWith(`${WEBHOOK}?`)) return routes.webhook(request, response);
    if (host.kind === 'foreign') return refuse(request, response, foreignHost(host.name));
    return own(request, response);
  };

  return (request, response) => {
    const failed = (error: unknown): void => {
      log.error(
        { error: error instanceof Error ? error.message : String(error), method: request.method, path: request.url?.slice(0, 200) },
        'A request could not be answered',
      );
      if (response.headersSent) response.destroy();
      else sendText(response, 500, 'Something went wrong here; the log of the server says what.\n');
    };
    try {
      route(request, response)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}

const NO_PROXY: Refusal = { status: 400, word: 'not-a-path', detail: 'This server is no proxy: ask for a path that begins with "/".' };

function NOT_FOUND(path: string): Omit<Refusal, 'status'> & { status: 404 } {
  return { status: 404, word: 'not-found', detail: `There is nothing at ${JSON.stringify(path.slice(0, 200))}. See "/" for what there is.` };
}

function READ_ONLY(path: string): Refusal {
  return { status: 405, word: 'method', detail: `${path} can only be read (GET or HEAD).` };
}

export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Omit<Refusal, 'status'> & { status: number },
  headers: Record<string, string> = {},
): void {
  const body = `${JSON.stringify({ type: `urn:tidemill:problem:${refusal.word}`, title: 'Refused', status: refusal.status, detail: refusal.detail })}\n`;
  const unread = !isSmall(request);
  if (unread) linger(request);
  response.writeHead(refusal.status, {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(refusal.status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    ...(unread ? { Connection: 'close' } : {}),
    ...headers,
  });
  response.end(body);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(text);
}
