// Names of images: `[HOST[:PORT]/]PATH[:TAG]`, as every tool writes them.
import { isIP } from 'node:net';

export interface Reference {
  /** Where the registry answers, as `HOST[:PORT]`. */
  registry: string;
  repository: string;
  tag: string;
}

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;

/** Throws with what is wrong. A name without a registry is Docker Hub's; without a tag it is `latest`. */
export function parseReference(text: string): Reference {
  if (text.includes('@')) throw new Error(`${text} names a digest; what is pushed gets its digest from what it holds: give a tag`);
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const named = first === 'localhost' || /[.:]/.test(first);
  const rest = named ? text.slice(slash + 1) : text;
  const colon = rest.lastIndexOf(':');
  const [path, tag] = colon < 0 ? [rest, 'latest'] : [rest.slice(0, colon), rest.slice(colon + 1)];
  const registry = named ? first : 'docker.io';
  const repository = registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  if (!HOST.test(registry) || !REPOSITORY.test(repository) || !TAG.test(tag))
    throw new Error(`${JSON.stringify(text)} is no name of an image: [HOST[:PORT]/]path[:tag], in lower case, as in ghcr.io/you/tidemill:1.0.0`);
  return { registry, repository, tag };
}

export const nameOf = ({ registry, repository, tag }: Reference): string => `${registry}/${repository}:${tag}`;

/** Whether the host is this machine, or an address that no certificate is given for. */
export function isPrivateAddress(registry: string): boolean {
  const host = registry.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  if (host === 'localhost') return true;
  if (isIP(host) === 6) return host === '::1' || /^f[cd]/i.test(host);
  return isIP(host) === 4 && /^(127|10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(host);
}
