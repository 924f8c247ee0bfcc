// The edge `bytes`: a step of ours inside a TaskRun shows its token and gets what that TaskRun may have, and nothing else. No credential and no URL of
// the store stands in an object, an event or a log: they are made for the one who asks, and are good for minutes.
import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { credentialRef } from '../../shared/decisions/names.ts';
import { parseRemote } from '../../shared/decisions/source/repository.ts';
import { credentialReader } from '../../shared/host/credential-reader.ts';
import type { Log } from '../../shared/host/contract.ts';
import type { KubeClient } from '../../shared/kubernetes/client/client.ts';
import { digest } from '../../shared/objects/fields.ts';
import { type GitCredential, GitError } from '../../shared/ports/git.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import { MissingSecret, type Secrets } from '../../shared/ports/secrets.ts';
import type { Digest } from '../../shared/ports/storage.ts';
import { type BlobAnswer, type BlobsAnswered, type Exchanged, MAX_BLOB_BYTES, MAX_BLOBS, PATHS } from '../../shared/steps/exchange/protocol.ts';
import type { SourceInput } from '../../shared/steps/source.ts';
import { forEachAtOnce } from '../../shared/storage/gate.ts';
import { checkCredential, type Grants, grantsOf } from './grants.ts';
import { type Asker, identify } from './identity.ts';
import { createLimits } from './limits.ts';
import { readJson } from './read-body.ts';
import { Refusal } from './refusal.ts';

/** What the store does here: looks for a blob, and signs a PUT of just that one. */
export interface BlobDesk {
  findBlob(digest: Digest, size: number): Promise<'sound' | 'damaged' | 'absent'>;
  presignPut(blob: { digest: Digest; size: number }, options: { replace: boolean }): Promise<{ url: string; headers: Record<string, string> }>;
}

export interface BytesOptions {
  client: Pick<KubeClient, 'request'>;
  objects: Pick<Objects, 'get'>;
  secrets: Pick<Secrets, 'get'>;
  storage: BlobDesk;
  log: Log;
  now: () => string;
}

export type Bytes = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

interface Known {
  asker: Asker;
  grants: Grants;
  until: number;
}

/** Requests in hand; more are asked to come again. */
const MAX_IN_HAND = 64;
/** For so long it is not asked again who shows a token, and whether its TaskRun still runs, for blobs alone. */
const KNOWN_MS = 5000;
const MAX_KNOWN = 1000;
const LOOKED_AT_ONCE = 32;

const blobsAsked = z.strictObject({
  blobs: z
    .array(z.strictObject({ digest, size: z.int().min(0).max(MAX_BLOB_BYTES) }))
    .min(1)
    .max(MAX_BLOBS),
});

export function createBytes({ client, objects, secrets, storage, log, now }: BytesOptions): Bytes {
  const now_ms = () => Date.parse(now());
  const limits = createLimits(now_ms);
  const known = new Map<string, Known>();
  const credentialOf = credentialReader(objects as Objects, secrets as Secrets);
  let inHand = 0;

  const recognize = async (request: IncomingMessage): Promise<Known> => {
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const asker = await identify(token, { client, objects });
    limits.request(asker.taskRun.uid);
    const found = { asker, grants: grantsOf(asker), until: now_ms() + KNOWN_MS };
    const key = hash('sha256', token!);
    known.delete(key);
    known.set(key, found);
    for (const oldest of known.keys()) if (known.size > MAX_KNOWN) known.delete(oldest);
    return found;
  };

  const recall = async (request: IncomingMessage): Promise<Known> => {
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const found = known.get(hash('sha256', token));
    if (!found || found.until < now_ms()) return recognize(request);
    limits.request(found.asker.taskRun.uid);
    return found;
  };

  const exchange = async ({ asker, grants }: Known): Promise<Exchanged> => {
    const source = grants.source && (await sourceFor(asker, grants.source));
    log.info(
      { ...whoOf(asker), source: source !== undefined, credential: source?.credential !== undefined, output: grants.output === true },
      'Exchanged a token',
    );
    return { ...(source && { source }), ...(grants.output && { output: { maxBlobs: MAX_BLOBS, maxBlobBytes: MAX_BLOB_BYTES } }) };
  };

  const sourceFor = async ({ namespace, execution }: Asker, source: SourceInput): Promise<NonNullable<Exchanged['source']>> => {
    const { url, sha, submodules, credential: name } = source;
    const plain = { url, sha, ...(submodules && { submodules }) };
    if (!name) return plain;
    const [artifact, project] = await Promise.all([
      objects.get('Artifact', { namespace, name: execution.spec.source }),
      objects.get('Project', { namespace, name: execution.spec.project }),
    ]);
    checkCredential(source, [artifact?.spec.type === 'git' ? artifact.spec : undefined, project?.spec.source]);
    const credential = await readCredential(credentialRef(namespace, name));
    const host = hostOf(url);
    if (credential.host.toLowerCase() !== host) throw new Refusal(403, `the credential ${name} is for ${credential.host}, and is not given for ${host}`);
    return { ...plain, credential: { name, ...credential } };
  };

  const readCredential = async (ref: string): Promise<GitCredential> => {
    try {
      return await credentialOf(ref);
    } catch (error) {
      if (error instanceof GitError || error instanceof MissingSecret) throw new Refusal(403, error.message);
      throw error;
    }
  };

  const blobs = async ({ asker, grants }: Known, body: unknown): Promise<BlobsAnswered> => {
    if (!grants.output) throw new Refusal(403, 'no step of this TaskRun that runs now stores an output');
    const checked = blobsAsked.safeParse(body);
    if (!checked.success) throw new Refusal(400, `${checked.error.issues[0]?.path.join('.') ?? ''}: ${checked.error.issues[0]?.message ?? ''}`);
    const asked = checked.data.blobs as { digest: Digest; size: number }[];
    const answers: BlobAnswer[] = [];
    await forEachAtOnce(asked.entries(), LOOKED_AT_ONCE, async ([i, blob]) => {
      answers[i] = await answerFor(blob);
    });
    const urls = asked.filter((_, i) => answers[i] && 'url' in answers[i]);
    limits.spend(
      asker.taskRun.uid,
      urls.length,
      urls.reduce((sum, { size }) => sum + size, 0),
    );
    log.info({ ...whoOf(asker), blobs: asked.length, wanted: urls.length }, 'Told where to store blobs');
    return { blobs: answers };
  };

  /** One that is there damaged, or half, is written over. */
  const answerFor = async (blob: { digest: Digest; size: number }): Promise<BlobAnswer> => {
    const found = await storage.findBlob(blob.digest, blob.size);
    return found === 'sound' ? { have: true } : storage.presignPut(blob, { replace: found === 'damaged' });
  };

  const answer = async (request: IncomingMessage): Promise<object> => {
    const path = request.url?.split('?')[0];
    if (path !== PATHS.exchange && path !== PATHS.blobs) throw new Refusal(404, 'there is nothing here');
    if (request.method !== 'POST') throw new Refusal(405, 'only POST');
    if (path === PATHS.exchange) return exchange(await recognize(request));
    const found = await recall(request);
    return blobs(found, await readJson(request));
  };

  return async (request, response) => {
    if (inHand >= MAX_IN_HAND) return sendJson(response, 503, { error: 'too much is asked for at once' }, { 'retry-after': '1' });
    inHand++;
    try {
      sendJson(response, 200, await answer(request));
    } catch (error) {
      refuse(request, response, error, log);
    } finally {
      inHand--;
    }
  };
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, log: Log): void {
  if (error instanceof Refusal) {
    log.warn({ path: request.url?.split('?')[0]?.slice(0, 100), status: error.status, reason: error.message }, 'Refused');
    return sendJson(response, error.status, { error: error.message }, error.retryAfter_s === undefined ? {} : { 'retry-after': String(error.retryAfter_s) });
  }
  log.error({ error: (error as Error).message }, 'A request could not be answered');
  sendJson(response, 503, { error: 'the cluster or the store does not answer as it should; the log of `bytes` says more' }, { 'retry-after': '2' });
}

/** As Credentials name it: with the port where it is not the scheme's own. */
function hostOf(url: string): string {
  const remote = parseRemote(url);
  return remote ? `${remote.host}${remote.port ? `:${remote.port}` : ''}` : 'something that is no address of a repository';
}

function whoOf({ namespace, taskRun, execution }: Asker): object {
  return { namespace, taskRun: taskRun.name, execution: execution.metadata.name };
}

function sendJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  if (response.destroyed || response.headersSent) return;
  const bytes = Buffer.from(JSON.stringify(body));
  // What was not read of a refused request is not waited for.
  const ends = status >= 400 && !response.req.complete;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    'cache-control': 'no-store',
    ...(ends && { connection: 'close' }),
    ...headers,
  });
  response.end(bytes);
}
