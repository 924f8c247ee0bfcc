// Bodies that are read: checked against their digest as they stream, or all there at once.
import { createHash } from 'node:crypto';
import { Readable, Transform } from 'node:stream';
import { type Digest, DigestMismatch } from '../ports/storage.ts';

/** Pieces are gathered up to this. */
const CHUNK_BYTES = 256 * 1024;

/** A body that is all there: whoever wants it whole can take it with one `read()`. */
export function wholeBody(bytes: Buffer): Readable {
  const body = new Readable({ read() {} });
  if (bytes.length > 0) body.push(bytes);
  body.push(null);
  return body;
}

/** Passes bytes on and keeps the last piece back until the digest of all is known: a reader who counts bytes never gets all of a rotten blob. */
export function checker(what: string, digest: Digest, onRot: () => void = () => {}): Transform {
  const hash = createHash('sha256');
  let last: Buffer | undefined;
  return new Transform({
    highWaterMark: CHUNK_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      const before = last;
      last = chunk;
      done(null, before);
    },
    flush(done) {
      const actual = `sha256:${hash.digest('hex')}`;
      if (actual === digest) return done(null, last);
      onRot();
      done(new DigestMismatch(what, digest, actual));
    },
  });
}
