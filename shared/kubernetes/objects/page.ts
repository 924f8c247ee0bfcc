// A page of a list as the API server gives it, and the tokens that ours go on by.
import { InvalidObject, type Kind, type Obj } from '../../objects/kinds.ts';
import type { ListOptions } from '../../ports/objects.ts';
import type { KubeClient } from '../client/client.ts';
import { KubeError } from '../client/error.ts';
import type { Raw } from './convert.ts';
import { portError } from './errors.ts';
import { listPath, selector } from './resources.ts';

export interface RawList {
  metadata: { resourceVersion: string; continue?: string };
  items: Raw[];
}

/** The object of a list or watch that is checked; undefined: it is not valid, and was told to whom it concerns. */
export type Admit = <K extends Kind>(kind: K, raw: Raw) => Obj<K> | undefined;

export interface PageOptions {
  limit: number;
  /** Of the page before. */
  token?: string | undefined;
  /** Another form than the objects whole. */
  accept?: string;
  signal?: AbortSignal;
}

/**
 * A page as the API server gives it. A token that it no longer keeps the state of (five minutes, as a rule) goes on after the same object
 * with what is there now: whoever watches from the first page's version hears of what changed in between.
 */
export async function rawPage(
  client: KubeClient,
  kind: Kind,
  { namespace, labels, mayLag }: ListOptions,
  { limit, token, ...how }: PageOptions,
): Promise<RawList> {
  const path = listPath(kind, namespace);
  // From the cache comes the whole list, whatever the limit.
  const version = mayLag && token === undefined ? '0' : undefined;
  const page = (at: string | undefined) =>
    client.request<RawList>('GET', path, { ...how, query: { limit, ...selector(labels), continue: at, resourceVersion: version } });
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

export const BAD_TOKEN = 'The continue token is not one of a list: leave it out to begin at the first page';

export function writeStrings(...parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** The strings of a token. Throws InvalidObject. */
export function readStrings(text: string): string[] {
  try {
    const parts = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown;
    if (Array.isArray(parts) && parts.every((part) => typeof part === 'string')) return parts;
  } catch {
    // Said below: whatever is wrong with it, it is no token of ours.
  }
  throw new InvalidObject(BAD_TOKEN);
}
