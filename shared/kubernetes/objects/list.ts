// Pages of objects. By name they are the API server's own; newest first they are sorted here, since it has no such order.
import { InvalidObject, type Kind, type Obj } from '../../objects/kinds.ts';
import type { ListOptions, Page } from '../../ports/objects.ts';
import type { KubeClient } from '../client/client.ts';
import { KubeError } from '../client/error.ts';
import type { Raw } from './convert.ts';
import { portError } from './errors.ts';
import { newestPage } from './newest.ts';
import { checkKind, listPath, selector } from './resources.ts';

export interface RawList {
  metadata: { resourceVersion: string; continue?: string };
  items: Raw[];
}

/** The object of a list or watch that is checked; undefined: it is not valid, and was told to whom it concerns. */
export type Admit = <K extends Kind>(kind: K, raw: Raw) => Obj<K> | undefined;

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 1000;

export async function list<K extends Kind>(client: KubeClient, admit: Admit, kind: K, options: ListOptions): Promise<Page<Obj<K>>> {
  checkKind(kind);
  const limit = Math.min(Math.max(1, Math.floor(options.limit ?? DEFAULT_LIMIT)), MAX_LIMIT);
  if (options.order === 'newest') return newestPage(client, admit, kind, options, limit);
  const from = options.continue === undefined ? undefined : readToken(options.continue);
  const page = await rawPage(client, kind, options, limit, from?.token);
  const version = from?.version ?? page.metadata.resourceVersion;
  return {
    items: page.items.flatMap((raw) => admit(kind, raw) ?? []),
    resourceVersion: version,
    ...(page.metadata.continue && { continue: writeToken({ token: page.metadata.continue, version }) }),
  };
}

/**
 * A page as the API server gives it. A token that it no longer keeps the state of (five minutes, as a rule) goes on after the same object
 * with what is there now: whoever watches from the first page's version hears of what changed in between.
 */
export async function rawPage(client: KubeClient, kind: Kind, { namespace, labels }: ListOptions, limit: number, token?: string): Promise<RawList> {
  const path = listPath(kind, namespace);
  const page = (at: string | undefined) => client.request<RawList>('GET', path, { query: { limit, ...selector(labels), continue: at } });
  try {
    return await page(token).catch((error: unknown) => {
      if (token !== undefined && error instanceof KubeError && error.status === 410 && error.listContinue) return page(error.listContinue);
      throw error;
    });
  } catch (error) {
    if (token !== undefined && error instanceof KubeError && error.status === 400) throw new InvalidObject(BAD_TOKEN, { cause: error });
    throw portError(kind, { namespace: namespace ?? '', name: '' }, error);
  }
}

interface Token {
  token: string;
  /** Of the first page: watched from there, nothing is missed. */
  version: string;
}

const BAD_TOKEN = 'The continue token is not one of a list: leave it out to begin at the first page';

function writeToken({ token, version }: Token): string {
  return Buffer.from(JSON.stringify([token, version])).toString('base64url');
}

function readToken(text: string): Token {
  const [token, version, ...more] = readStrings(text);
  if (token === undefined || version === undefined || more.length > 0) throw new InvalidObject(BAD_TOKEN);
  return { token, version };
}

/** The strings of a token. Throws InvalidObject. */
export function readStrings(text: string): string[] {
  try {
    const parts = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown;
    if (Array.isArray(parts) && parts.every((part) => typeof part === 'string')) return parts as string[];
  } catch {
    // Said below: whatever is wrong with it, it is no token of ours.
  }
  throw new InvalidObject(BAD_TOKEN);
}
