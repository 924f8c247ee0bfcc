// Which version a request is to be answered from: a page that a person goes to is always the current one, and what it then loads comes
// from the same one, which a cookie remembers.
import type { IncomingHttpHeaders } from 'node:http';
import type { Live, Version } from './releases/releases.ts';

const COOKIE = 'tidemill-version';
const COOKIE_VALUE = /(?:^|;\s*)tidemill-version=([\w.+-]{1,128})(?:;|$)/;

export interface Visit {
  version: Version;
  /** To be set, where the answer is part of what a version's pages are made of. */
  cookie: string | undefined;
  /** A person goes to it, or it is put in a frame: a page, not a part of one. */
  page: boolean;
}

/** `live.current` must be there. */
export function visitOf(headers: IncomingHttpHeaders, current: Version, live: Live): Visit {
  const remembered = headers.cookie === undefined ? undefined : COOKIE_VALUE.exec(headers.cookie)?.[1];
  const kind = kindOf(headers);
  if (kind === 'visit') return { version: current, cookie: remembered === current.name ? undefined : cookieFor(current), page: true };
  const version = kind === 'fresh' || remembered === undefined ? current : byName(remembered, current, live);
  return { version, cookie: undefined, page: kind === 'frame' };
}

function byName(name: string, current: Version, { kept }: Live): Version {
  return name === current.name ? current : (kept.find((version) => version.name === name) ?? current);
}

/**
 * visit: the browser goes there. frame: a page inside a page, so of that page's version. fresh: a service worker's script, which must never be
 * an old one. part: all else. A page that is fetched ahead is no visit yet: it must not change the version of the page that is being looked at.
 */
function kindOf(headers: IncomingHttpHeaders): 'visit' | 'frame' | 'fresh' | 'part' {
  const ahead = headers['sec-purpose'] ?? headers['purpose'];
  if (typeof ahead === 'string' && ahead.includes('prefetch')) return 'frame';
  const mode = headers['sec-fetch-mode'];
  const destination = headers['sec-fetch-dest'];
  if (destination === 'document') return 'visit';
  if (destination === 'serviceworker') return 'fresh';
  if (destination === 'iframe' || destination === 'frame') return 'frame';
  if (mode === 'navigate') return destination === undefined ? 'visit' : 'frame';
  // Browsers that do not say, and tools: who asks for HTML wants a page.
  return mode === undefined && headers.accept?.includes('text/html') ? 'visit' : 'part';
}

function cookieFor({ name }: Version): string {
  return `${COOKIE}=${name}; Path=/; HttpOnly; SameSite=Lax`;
}
