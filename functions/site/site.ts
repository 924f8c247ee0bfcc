// Serves what is released: a host name is a release, a release is a version, a version is a list of files with their digests.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../shared/host/contract.ts';
import type { Objects, Ref } from '../../shared/ports/objects.ts';
import type { Storage } from '../../shared/ports/storage.ts';
import { answerFile, type Sources } from './answer.ts';
import { createContent } from './content.ts';
import { mayBeHashed } from './media.ts';
import { badRequest, broken, noSite, notDeployed, notFound, projectOf, retired, sendNotice, wrongMethod } from './pages.ts';
import { parseTarget, type Target } from './path.ts';
import { allNamespaces, oneNamespace } from './releases/places.ts';
import { createReleases, type Live } from './releases/releases.ts';
import type { IndexedFile, SiteIndex } from './site-index.ts';
import { type Visit, visitOf } from './visit.ts';

export interface SiteOptions {
  objects: Objects;
  storage: Storage;
  log: Log;
  /** Of the releases that are served. Default "default". */
  namespace?: string;
  /** Those of all namespaces are; `namespace` has those whose project is not known. */
  everywhere?: boolean;
}

export interface Site {
  /** `host`: what stands before the sites' domain: a project, or <branch>--<project>, and .<namespace> where that is said. Never throws; resolves when the answer is sent. */
  (req: IncomingMessage, res: ServerResponse, host: string): void | Promise<void>;
  /** Ends the watch on releases. */
  close(): void;
}

/** Longer names are no host names of ours. */
const MAX_SHOWN = 127;

/** The release that a host name means. */
interface Place {
  host: string;
  at: Ref;
}

interface Context extends Sources {
  objects: Objects;
  log: Log;
}

export function createSite({ objects, storage, log, namespace = 'default', everywhere = false }: SiteOptions): Site {
  const context: Context = { objects, log, storage, content: createContent(storage) };
  const releases = createReleases({ objects, namespace: everywhere ? undefined : namespace, log });
  const places = everywhere ? allNamespaces({ objects, namespace, log }) : oneNamespace(namespace);

  const answer = (req: IncomingMessage, res: ServerResponse, host: string): void | Promise<void> => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return sendNotice(req, res, wrongMethod);
    const target = parseTarget(req.url ?? '/');
    if (!target) return sendNotice(req, res, badRequest);
    const place = places.of(host);
    if (place instanceof Promise) return place.then((found) => answerAt(req, res, { host, at: found }, target));
    return answerAt(req, res, { host, at: place }, target);
  };

  const answerAt = (req: IncomingMessage, res: ServerResponse, { host, at }: { host: string; at: Ref | undefined }, target: Target): void | Promise<void> => {
    if (!at) return sendNotice(req, res, noSite(host.slice(0, MAX_SHOWN)));
    const place = { host, at };
    const live = releases.get(at);
    if (live instanceof Promise) return live.then((found) => answerLive(req, res, place, target, found, context));
    return answerLive(req, res, place, target, live, context);
  };

  const site = (req: IncomingMessage, res: ServerResponse, host: string): void | Promise<void> => {
    try {
      const answered = answer(req, res, host);
      return answered instanceof Promise ? answered.catch((error: unknown) => fail(req, res, host, error, log)) : undefined;
    } catch (error) {
      return fail(req, res, host, error, log);
    }
  };
  const close = () => {
    releases.close();
    places.close();
  };
  return Object.assign(site, { close });
}

function fail(req: IncomingMessage, res: ServerResponse, host: string, error: unknown, log: Log): void {
  log.error({ host, path: req.url?.slice(0, 200), err: error }, 'a request for a site failed');
  if (res.headersSent) res.destroy();
  else sendNotice(req, res, broken);
}

function answerLive(req: IncomingMessage, res: ServerResponse, place: Place, target: Target, live: Live | undefined, context: Context): void | Promise<void> {
  if (!live) return answerUnknown(req, res, place, context);
  if (!live.current) return sendNotice(req, res, retired(place.host));
  const visit = visitOf(req.headers, live.current, live);
  const index = context.content.index(visit.version.manifest);
  if (index instanceof Promise) return index.then((found) => answerPath(req, res, target, live, visit, found, context));
  return answerPath(req, res, target, live, visit, index, context);
}

/** A project that has had no release is a site to be; anything else is none. */
async function answerUnknown(req: IncomingMessage, res: ServerResponse, { host, at }: Place, { objects }: Context): Promise<void> {
  const name = projectOf(at.name);
  const project = name === '' ? undefined : await objects.get('Project', { namespace: at.namespace, name });
  sendNotice(req, res, project ? notDeployed(host) : noSite(host));
}

function answerPath(
  req: IncomingMessage,
  res: ServerResponse,
  target: Target,
  live: Live,
  visit: Visit,
  index: SiteIndex,
  context: Context,
): void | Promise<void> {
  const found = index.find(target.path, live.cleanUrls);
  if (!found) return answerMissing(req, res, target, live, visit, index, context);
  if ('redirect' in found) return redirect(res, target, found.redirect);
  return answerFile(req, res, { file: found, status: 200, cookie: visit.cookie }, context);
}

async function answerMissing(
  req: IncomingMessage,
  res: ServerResponse,
  target: Target,
  live: Live,
  visit: Visit,
  index: SiteIndex,
  context: Context,
): Promise<void> {
  const earlier = mayBeHashed(target.path) ? await findEarlier(target.path, live, visit, context) : undefined;
  if (earlier) return answerFile(req, res, { file: earlier, status: 200, cookie: undefined }, context);
  const spa = live.spa && wantsPage(req, target, visit) ? index.file('index.html') : undefined;
  if (spa) return answerFile(req, res, { file: spa, status: 200, cookie: visit.cookie }, context);
  const page = index.file('404.html');
  if (page) return answerFile(req, res, { file: page, status: 404, cookie: visit.cookie }, context);
  sendNotice(req, res, notFound);
}

/** Assets whose names hold a hash go on being served from the versions that are kept: a page of one of them may still be open. */
async function findEarlier(path: string, live: Live, { version }: Visit, { content, log }: Context): Promise<IndexedFile | undefined> {
  for (const other of live.current ? [live.current, ...live.kept] : live.kept) {
    if (other.manifest === version.manifest) continue;
    try {
      const file = (await content.index(other.manifest)).file(path);
      if (file && !file.html) return file;
    } catch (error) {
      log.warn({ version: other.name, err: error }, 'an earlier version of a site cannot be read; its assets are not served');
    }
  }
  return undefined;
}

/** Whether a path that is no file may be a page that index.html knows of: not what a page loads as a script, an image and the like. */
function wantsPage(req: IncomingMessage, { path }: Target, { page }: Visit): boolean {
  if (page || req.headers.accept?.includes('text/html')) return true;
  const destination = req.headers['sec-fetch-dest'];
  if (destination !== undefined && destination !== 'empty') return false;
  return !path.slice(path.lastIndexOf('/') + 1).includes('.');
}

/** Not for ever: the next version may have it otherwise. The path begins with one "/", so it stays on this host. */
function redirect(res: ServerResponse, { raw, search }: Target, how: 'add-slash' | 'drop-slash'): void {
  const path = how === 'add-slash' ? `${raw}/` : raw.slice(0, -1);
  const location = `${path.replace(/^\/+/, '/')}${search}`;
  res.writeHead(307, ['Location', location, 'Cache-Control', 'no-cache', 'Content-Length', '0', 'X-Content-Type-Options', 'nosniff']);
  res.end();
}
