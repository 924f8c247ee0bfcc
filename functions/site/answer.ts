// Answers with a file: conditions, ranges and encodings as RFC 9110 has them; small files from memory, others streamed.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Storage } from '../../shared/ports/storage.ts';
import { type Content, SMALL_BYTES } from './content.ts';
import { acceptedEncodings, type ByteRange, type Encoding, noneMatch, parseRange } from './negotiate.ts';
import type { IndexedFile } from './site-index.ts';

export interface Sources {
  content: Content;
  storage: Storage;
}

export interface Answer {
  file: IndexedFile;
  status: 200 | 404;
  cookie: string | undefined;
}

const FOR_EVER = 'public, max-age=31536000, immutable';

/** Bytes in memory, or a file of the site to stream; with the encoding that they are in. */
type Chosen = Form & ({ bytes: Buffer } | { stream: IndexedFile });

export function answerFile(req: IncomingMessage, res: ServerResponse, answer: Answer, sources: Sources): void | Promise<void> {
  const encodings = encodingsFor(req, answer);
  if (answer.status === 200 && req.headers['if-none-match'] !== undefined) {
    // Whoever has the tag has the bytes: they need not be read, nor compressed again, to say so.
    const likely = likelyOf(answer.file, encodings);
    if (noneMatch(req.headers['if-none-match'], likely.etag)) return notModified(res, answer, likely);
  }
  const chosen = choose(answer, encodings, sources.content);
  return chosen instanceof Promise ? chosen.then((found) => send(req, res, answer, found, sources.storage)) : send(req, res, answer, chosen, sources.storage);
}

/** A range is one of the file as it is. */
function encodingsFor(req: IncomingMessage, { status }: Answer): readonly Encoding[] {
  return status === 200 && req.headers.range !== undefined ? [] : acceptedEncodings(req.headers['accept-encoding']);
}

interface Form {
  encoding: Encoding | undefined;
  etag: string;
}

/** The form that the file will have, unless it turns out that compression is not worth it. */
function likelyOf(file: IndexedFile, encodings: readonly Encoding[]): Form {
  const encoding = encodings.find((each) => file.shipped[each] ?? file.compressible);
  return { encoding, etag: etagOf((encoding && file.shipped[encoding]) ?? file, encoding) };
}

/** Synchronous when everything is in memory: that is the hot path. */
function choose({ file }: Answer, encodings: readonly Encoding[], content: Content): Chosen | Promise<Chosen> {
  for (const encoding of encodings) {
    const shipped = file.shipped[encoding];
    if (shipped) return { stream: shipped, encoding, etag: etagOf(shipped, encoding) };
    const compressed = content.compressed(file, encoding);
    if (compressed instanceof Promise) return compressed.then((bytes) => (bytes ? encoded(file, bytes, encoding) : plain(file, content)));
    if (compressed) return encoded(file, compressed, encoding);
  }
  return plain(file, content);
}

function encoded(file: IndexedFile, bytes: Buffer, encoding: Encoding): Chosen {
  return { bytes, encoding, etag: etagOf(file, encoding) };
}

function plain(file: IndexedFile, content: Content): Chosen | Promise<Chosen> {
  const etag = etagOf(file);
  if (file.size > SMALL_BYTES) return { stream: file, encoding: undefined, etag };
  const bytes = content.small(file);
  if (bytes instanceof Promise) return bytes.then((loaded) => ({ bytes: loaded, encoding: undefined, etag }));
  return { bytes, encoding: undefined, etag };
}

/** Strong: the same tag is the same bytes, encoding included. */
function etagOf({ digest }: IndexedFile, encoding?: Encoding): string {
  return encoding ? `"${digest.slice(7, 39)}-${encoding}"` : `"${digest.slice(7, 39)}"`;
}

function send(req: IncomingMessage, res: ServerResponse, answer: Answer, chosen: Chosen, storage: Storage): void | Promise<void> {
  const { file, status } = answer;
  const condition = req.headers['if-none-match'];
  if (status === 200 && condition !== undefined && noneMatch(condition, chosen.etag)) return notModified(res, answer, chosen);
  const headers = commonHeaders(answer, chosen);
  const size = 'bytes' in chosen ? chosen.bytes.length : chosen.stream.size;
  const range = status === 200 && chosen.encoding === undefined ? rangeOf(req, chosen.etag, size) : undefined;
  headers.push('Content-Type', file.type);
  if (range === 'unsatisfiable') {
    headers.push('Content-Range', `bytes */${size}`, 'Content-Length', '0');
    res.writeHead(416, headers);
    res.end();
    return;
  }
  if (range) headers.push('Content-Range', `bytes ${range.start}-${range.end}/${size}`);
  headers.push('Content-Length', String(range ? range.end - range.start + 1 : size));
  const head = (): void => void res.writeHead(range ? 206 : status, headers);
  if (req.method === 'HEAD') {
    head();
    res.end();
    return;
  }
  if ('stream' in chosen) return stream(res, chosen.stream, range, head, storage);
  head();
  res.end(range ? chosen.bytes.subarray(range.start, range.end + 1) : chosen.bytes);
}

function notModified(res: ServerResponse, answer: Answer, form: Form): void {
  res.writeHead(304, commonHeaders(answer, form));
  res.end();
}

function commonHeaders({ file, status, cookie }: Answer, { encoding, etag }: Form): string[] {
  const immutable = file.immutable && status === 200;
  const headers = ['X-Content-Type-Options', 'nosniff', 'Cache-Control', immutable ? FOR_EVER : cookie ? 'private, no-cache' : 'no-cache'];
  if (status === 200) headers.push('ETag', etag, 'Accept-Ranges', 'bytes');
  if (file.compressible || encoding) headers.push('Vary', 'Accept-Encoding');
  if (encoding) headers.push('Content-Encoding', encoding);
  // What never changes is the same in every version: it must not tie the page to one.
  if (cookie && !immutable) headers.push('Set-Cookie', cookie);
  return headers;
}

function rangeOf(req: IncomingMessage, etag: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const { range } = req.headers;
  if (range === undefined) return undefined;
  const condition = req.headers['if-range'];
  // A date never matches: no dates are given.
  if (condition !== undefined && condition !== etag) return undefined;
  return parseRange(range, size);
}

/** Nothing is answered before the file is found; a file that turns out damaged on the way ends the connection short of its length. */
async function stream(res: ServerResponse, file: IndexedFile, range: ByteRange | undefined, head: () => void, storage: Storage): Promise<void> {
  const stored = await storage.getBlob(file.digest, range && { range });
  if (!stored) throw new Error(`The blob ${file.digest} of ${file.path} is not in the storage`);
  if (res.destroyed) {
    stored.body.destroy();
    return;
  }
  head();
  try {
    await pipeline(stored.body, res);
  } catch (error) {
    // The client went away: nobody is left to tell.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
