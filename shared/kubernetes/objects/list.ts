// Pages of objects. By name they are the API server's own; newest first they are sorted here, since it has no such order.
import { InvalidObject, type Kind, type Obj } from '../../objects/kinds.ts';
import type { ListOptions, Page } from '../../ports/objects.ts';
import type { KubeClient } from '../client/client.ts';
import { newestPage } from './newest.ts';
import { type Admit, BAD_TOKEN, rawPage, readStrings, writeStrings } from './page.ts';
import { checkKind } from './resources.ts';

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 1000;

export async function list<K extends Kind>(client: KubeClient, admit: Admit, kind: K, options: ListOptions): Promise<Page<Obj<K>>> {
  checkKind(kind);
  const limit = Math.min(Math.max(1, Math.floor(options.limit ?? DEFAULT_LIMIT)), MAX_LIMIT);
  if (options.order === 'newest') return newestPage(client, admit, kind, options, limit);
  const from = options.continue === undefined ? undefined : readToken(options.continue);
  const page = await rawPage(client, kind, options, { limit, token: from?.token });
  const version = from?.version ?? page.metadata.resourceVersion;
  return {
    items: page.items.flatMap((raw) => admit(kind, raw) ?? []),
    resourceVersion: version,
    ...(page.metadata.continue && { continue: writeStrings(page.metadata.continue, version) }),
  };
}

interface Token {
  token: string;
  /** Of the first page: watched from there, nothing is missed. */
  version: string;
}

function readToken(text: string): Token {
  const [token, version, ...more] = readStrings(text);
  if (token === undefined || version === undefined || more.length > 0) throw new InvalidObject(BAD_TOKEN);
  return { token, version };
}
