// What a step of ours and the edge `bytes` say to each other: JSON over HTTP, with the step's own token as Bearer.
import type { GitCredential } from '../../ports/git.ts';

export const PATHS = {
  /** POST {}: what this TaskRun's own steps may have. */
  exchange: '/v1/exchange',
  /** POST BlobsAsked: what to do with each blob, in the same order. */
  blobs: '/v1/blobs',
} as const;

/** Blobs asked for at once. */
export const MAX_BLOBS = 1000;
/** Of one blob: S3's most for one request. */
export const MAX_BLOB_BYTES = 5 * 1024 ** 3;

export interface Exchanged {
  /** For the step `source`: the commit as the execution was frozen with it, and what it is read with. */
  source?: { url: string; sha: string; submodules?: boolean; credential?: { name: string } & GitCredential };
  /** For the step `output`: blobs may be stored. */
  output?: { maxBlobs: number; maxBlobBytes: number };
}

export interface BlobAsked {
  /** sha256:<64 hexadecimal digits> */
  digest: string;
  /** Bytes. */
  size: number;
}

export interface BlobsAsked {
  blobs: BlobAsked[];
}

/** `have`: it is stored. Else a PUT to the URL with exactly these headers; 412 to that means that somebody stored it meanwhile. */
export type BlobAnswer = { have: true } | { url: string; headers: Record<string, string> };

export interface BlobsAnswered {
  blobs: BlobAnswer[];
}

/** The body of every answer that is no 2xx. */
export interface ExchangeRefused {
  error: string;
}
