// Requests to one repository of a registry, signed in where it asks for that: basic, or by a token as Docker Hub, GitHub and the clouds do.
import { credentialsFor } from './credentials.ts';
import { isPrivateAddress, nameOf, type Reference } from './reference.ts';

export interface RequestOptions {
  /** Statuses that are an answer; any other is an error. */
  accept: readonly number[];
  body?: Buffer;
  type?: string;
  /** Default a minute. */
  timeout_ms?: number;
}

export interface Registry {
  /** For errors. */
  name: string;
  /** A path below the repository, or the address that an answer named. */
  request(method: string, path: string | URL, options: RequestOptions): Promise<Response>;
}

/** We could not sign in: asking again would not help. */
class Refusal extends Error {}

const TIMEOUT_MS = 60_000;
const ATTEMPTS = 3;
const PAUSE_MS = 1000;

/** Plain HTTP only where that was asked for, or for this machine and private addresses. */
export function openRegistry(name: Reference, insecure: boolean): Registry {
  const plain = insecure || isPrivateAddress(name.registry);
  const host = name.registry === 'docker.io' ? 'registry-1.docker.io' : name.registry;
  const base = new URL(`${plain ? 'http' : 'https'}://${host}/v2/${name.repository}/`);
  let authorization: string | undefined;

  const send = async (method: string, url: URL, { body, type, timeout_ms = TIMEOUT_MS }: RequestOptions): Promise<Response> =>
    await fetch(url, {
      method,
      // What a registry sends us to for an upload may be a store of another's, which is not to see who we are.
      headers: { ...(authorization !== undefined && url.origin === base.origin && { authorization }), ...(type !== undefined && { 'content-type': type }) },
      ...(body && { body: new Uint8Array(body) }),
      signal: AbortSignal.timeout(timeout_ms),
    });

  const signedIn = async (method: string, url: URL, options: RequestOptions): Promise<Response> => {
    const response = await send(method, url, options);
    if (response.status !== 401 || url.origin !== base.origin) return response;
    await response.body?.cancel();
    authorization = await signIn(response.headers.get('www-authenticate') ?? '', name, plain).catch((error: unknown) => {
      throw new Refusal(error instanceof Error ? error.message : String(error), { cause: error });
    });
    return await send(method, url, options);
  };

  const request = async (method: string, path: string | URL, options: RequestOptions, attempt = 1): Promise<Response> => {
    const url = new URL(path, base);
    const outcome = await signedIn(method, url, options).catch((error: unknown) =>
      error instanceof Refusal ? error : new Error(unreachable(error, base, insecure), { cause: error }),
    );
    if (!(outcome instanceof Error) && options.accept.includes(outcome.status)) return outcome;
    const again = outcome instanceof Error ? !(outcome instanceof Refusal) : outcome.status >= 500 || outcome.status === 429;
    if (again && attempt < ATTEMPTS) {
      if (!(outcome instanceof Error)) await outcome.body?.cancel();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
      return await request(method, path, options, attempt + 1);
    }
    throw outcome instanceof Error ? outcome : new Error(await refusal(outcome, method, url, name));
  };
  return { name: name.registry, request: (method, path, options) => request(method, path, options) };
}

function unreachable(error: unknown, base: URL, insecure: boolean): string {
  const reason = error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error);
  const hint =
    base.protocol === 'https:' && !insecure && /wrong version number|packet length|ECONNREFUSED/.test(reason)
      ? '; a registry without TLS wants --insecure'
      : '';
  return `${base.origin} cannot be reached: ${reason}${hint}`;
}

async function refusal(response: Response, method: string, url: URL, name: Reference): Promise<string> {
  const text = (await response.text().catch(() => '')).slice(0, 500).replaceAll(/\s+/g, ' ').trim();
  const what = `${name.registry} answered ${method} ${url.pathname} with ${response.status}${text ? `: ${text}` : ''}`;
  if (response.status === 401 || response.status === 403)
    return `${what}\nIt refuses ${nameOf(name)}: sign in with \`docker login ${name.registry}\`, as one who may push there`;
  return what;
}

/** The value of Authorization that the challenge asks for. */
async function signIn(challenge: string, name: Reference, plain: boolean): Promise<string> {
  const [, scheme = '', rest = ''] = /^\s*(\w+)\s*(.*)$/s.exec(challenge) ?? [];
  const fields = Object.fromEntries([...rest.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!.toLowerCase(), value!]));
  const credentials = await credentialsFor(name.registry);
  if (scheme.toLowerCase() === 'basic') {
    if (!credentials?.basic) throw new Error(`${name.registry} refuses us without a name and password: \`docker login ${name.registry}\``);
    return `Basic ${credentials.basic}`;
  }
  if (scheme.toLowerCase() !== 'bearer' || !fields['realm'])
    throw new Error(`${name.registry} refuses us, and asks for ${scheme || 'nothing'}, which is not known here`);
  const realm = new URL(fields['realm']);
  if (realm.protocol !== 'https:' && !plain)
    throw new Error(`${name.registry} refuses us, and wants the password sent to ${realm.origin} without TLS: that is not done`);
  return `Bearer ${await fetchToken(realm, fields['service'], fields['scope'] ?? `repository:${name.repository}:pull,push`, name, credentials)}`;
}

async function fetchToken(
  realm: URL,
  service: string | undefined,
  scope: string,
  name: Reference,
  credentials: Awaited<ReturnType<typeof credentialsFor>>,
): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  if (credentials?.identityToken !== undefined) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.identityToken,
      client_id: 'tidemill',
      scope,
      ...(service && { service }),
    });
    response = await fetch(realm, { method: 'POST', body: form, signal });
  } else {
    realm.searchParams.set('scope', scope);
    if (service) realm.searchParams.set('service', service);
    response = await fetch(realm, { headers: credentials?.basic ? { authorization: `Basic ${credentials.basic}` } : {}, signal });
  }
  const answer = response.ok ? ((await response.json()) as { token?: string; access_token?: string }) : undefined;
  const token = answer?.token ?? answer?.access_token;
  if (!token)
    throw new Error(`${realm.host} refuses a token for ${nameOf(name)} (${response.status}): \`docker login ${name.registry}\`, as one who may push there`);
  return token;
}
