// Pages newest first. Kubernetes has no such order, so all that matches is looked at: its metadata alone, and no more of it kept than one page.
import { InvalidObject, type Kind, type Obj } from '../../objects/kinds.ts';
import type { ListOptions, Page } from '../../ports/objects.ts';
import type { KubeClient } from '../client/client.ts';
import type { Raw } from './convert.ts';
import { isMissing, portError } from './errors.ts';
import { type Admit, type RawList, rawPage, readStrings, writeStrings } from './page.ts';
import { objectPath } from './resources.ts';

/** More objects than a cluster should keep of one kind; what is finished is archived long before. */
const MOST = 20_000;
const METADATA_PAGE = 1000;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
/** So many objects are fetched at once for a page. */
const IN_FLIGHT = 16;

/** Where an object stands: by its second of creation, then by name and namespace, as names that are derived begin with their time. */
type Place = readonly [created: string, name: string, namespace: string];

/** Throws InvalidObject where more match than are looked at. */
export async function newestPage<K extends Kind>(client: KubeClient, admit: Admit, kind: K, options: ListOptions, limit: number): Promise<Page<Obj<K>>> {
  const from = options.continue === undefined ? undefined : readToken(options.continue);
  const admitted = (raws: Raw[]) => raws.flatMap((raw) => admit(kind, raw) ?? []);
  if (!from) {
    // As a rule everything is in one page.
    const all = await rawPage(client, kind, options, { limit });
    if (!all.metadata.continue) return { items: admitted(all.items.toSorted(newer)), resourceVersion: all.metadata.resourceVersion };
  }
  const { places, more, version } = await choose(client, kind, options, limit, from?.place);
  const resourceVersion = from?.version ?? version;
  const items = admitted(await fetchAll(client, kind, places));
  return { items, resourceVersion, ...(more && { continue: writeStrings(...places.at(-1)!, resourceVersion) }) };
}

/** The newest `limit` places after one. */
async function choose(client: KubeClient, kind: Kind, options: ListOptions, limit: number, after: Place | undefined) {
  let chosen: Place[] = [];
  let seen = 0;
  let left = 0;
  let version: string | undefined;
  let token: string | undefined;
  do {
    const page: RawList = await rawPage(client, kind, options, { limit: METADATA_PAGE, token, accept: METADATA_ONLY });
    version ??= page.metadata.resourceVersion;
    token = page.metadata.continue || undefined;
    seen += page.items.length;
    if (seen > MOST || (seen === MOST && token))
      throw new InvalidObject(`More than ${MOST} objects of kind ${kind} match, too many to find the newest of: ask for a namespace, or for labels`);
    const next = page.items.map(placeOf).filter((place) => !after || compare(place, after) > 0);
    left += next.length;
    chosen = [...chosen, ...next].toSorted(compare).slice(0, limit);
  } while (token);
  return { places: chosen, more: left > chosen.length, version };
}

/** The objects of these places; one that is gone by now is left out. */
async function fetchAll(client: KubeClient, kind: Kind, places: Place[]): Promise<Raw[]> {
  const found: (Raw | undefined)[] = [];
  let next = 0;
  const work = async () => {
    for (let i = next++; i < places.length; i = next++) {
      const [, name, namespace] = places[i]!;
      try {
        found[i] = await client.request<Raw>('GET', objectPath(kind, { namespace, name }));
      } catch (error) {
        if (!isMissing(error)) throw portError(kind, { namespace, name }, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, places.length) }, work));
  return found.filter((raw) => raw !== undefined);
}

function placeOf({ metadata }: Raw): Place {
  return [metadata.creationTimestamp, metadata.name, metadata.namespace];
}

const newer = (a: Raw, b: Raw) => compare(placeOf(a), placeOf(b));

function compare(a: Place, b: Place): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! > b[i]! ? -1 : 1;
  return 0;
}

function readToken(text: string): { place: Place; version: string } {
  const [created, name, namespace, version, ...more] = readStrings(text);
  if (created === undefined || name === undefined || namespace === undefined || version === undefined || more.length > 0)
    throw new InvalidObject('The continue token is not one of a list newest first: leave it out to begin at the first page');
  return { place: [created, name, namespace], version };
}
