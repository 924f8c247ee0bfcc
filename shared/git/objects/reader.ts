// Reads objects of a mirror through one `git cat-file --batch`, kept for a moment so that what is read next starts no process.
import { GitError } from '../../ports/git.ts';
import { Damaged } from '../errors.ts';
import { type ByteReader, createByteReader } from './byte-reader.ts';
import { gitEnvironment } from '../environment.ts';
import { cannotStart, endGroup, spawnGit } from '../run.ts';

export interface GitObject {
  type: 'commit' | 'tree' | 'blob' | 'tag';
  body: Buffer;
}

export interface ObjectReader {
  /** Undefined: it is not held. Throws GitError "invalid" when it is larger than `limit` bytes. */
  read(oid: string, limit: number): Promise<GitObject | undefined>;
  /** The blobs in this order, each with its size and its bytes in pieces that must be read before the next. Throws where one is not held. */
  stream(oids: readonly string[]): AsyncGenerator<{ size: number; pieces: AsyncIterable<Buffer> }>;
  /** Size of each object; undefined for those that are not held. */
  sizes(oids: readonly string[]): Promise<Map<string, number | undefined>>;
  close(): void;
}

const IDLE_MS = 1000;
const HEADER = /^([0-9a-f]+) (commit|tree|blob|tag) (\d+)$/;
/** Rather than read on through what nobody wants, the process is ended. */
const SKIP_LIMIT = 1024 * 1024;

type Process = ReturnType<typeof spawnGit> & { answers?: ByteReader; failed?: Error };

export function createObjectReader(directory: string, gitDir: string): ObjectReader {
  const env = gitEnvironment({ directory, gitDir });
  let process: Process | undefined;
  let idle: NodeJS.Timeout | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function start(mode: '--batch' | '--batch-check'): Process & { answers: ByteReader } {
    const child: Process = spawnGit(['cat-file', mode, ...(mode === '--batch' ? [] : ['--buffer'])], env);
    child.stderr.resume();
    child.once('error', (error) => {
      child.failed = cannotStart(error);
      child.stdout.destroy();
    });
    child.answers = createByteReader(child.stdout);
    return child as Process & { answers: ByteReader };
  }

  function close(): void {
    clearTimeout(idle);
    if (process) endGroup(process, 'SIGKILL');
    process = undefined;
  }

  async function readNow(oid: string, limit: number): Promise<GitObject | undefined> {
    clearTimeout(idle);
    if (!process || process.exitCode !== null || process.signalCode !== null) process = start('--batch');
    hold(process, true);
    try {
      process.stdin.write(`${oid}\n`);
      const found = await header(process.answers!);
      if (!found) return undefined;
      if (found.size > limit) {
        if (found.size > SKIP_LIMIT) close();
        else await process.answers!.bytes(found.size + 1);
        throw new GitError('invalid', `An object of ${found.size} bytes is more than the ${limit} that are read here`);
      }
      const body = await process.answers!.bytes(found.size + 1);
      return { type: found.type, body: body.subarray(0, found.size) };
    } catch (error) {
      if (error instanceof GitError) throw error;
      const failed = process?.failed ?? new Damaged(`the mirror does not give object ${oid}: ${(error as Error).message}`);
      close();
      throw failed;
    } finally {
      if (process) hold(process, false);
      idle = setTimeout(close, IDLE_MS).unref();
    }
  }

  async function* stream(oids: readonly string[]): ReturnType<ObjectReader['stream']> {
    const child = start('--batch');
    try {
      child.stdin.end(oids.map((oid) => `${oid}\n`).join(''));
      for (const oid of oids) {
        const found = await header(child.answers);
        if (!found) throw new GitError('unreachable', `Object ${oid} is not held any more; try again`);
        const pieces = child.answers.pieces(found.size);
        yield { size: found.size, pieces };
        for await (const _rest of pieces); // What the caller did not read.
        await child.answers.bytes(1);
      }
    } finally {
      endGroup(child, 'SIGKILL');
    }
  }

  async function sizes(oids: readonly string[]): Promise<Map<string, number | undefined>> {
    const child = start('--batch-check');
    const found = new Map<string, number | undefined>();
    try {
      child.stdin.end(oids.map((oid) => `${oid}\n`).join(''));
      for (const oid of oids) found.set(oid, (await header(child.answers))?.size);
    } catch (error) {
      throw child.failed ?? new Damaged(`the mirror does not say what it holds: ${(error as Error).message}`);
    } finally {
      endGroup(child, 'SIGKILL');
    }
    return found;
  }

  return {
    read(oid, limit) {
      const turn = last.then(() => readNow(oid, limit));
      last = turn.catch(() => {}); // The caller of that turn hears of it.
      return turn;
    },
    stream,
    sizes,
    close,
  };
}

/** The line before an object; undefined: it is not held. */
async function header(answers: ByteReader): Promise<{ type: GitObject['type']; size: number } | undefined> {
  const line = await answers.line();
  if (line === undefined) throw new Error('git cat-file ended without an answer');
  const match = HEADER.exec(line);
  return match ? { type: match[2] as GitObject['type'], size: Number(match[3]) } : undefined;
}

/** While nobody waits for it, the process keeps nobody from exiting. */
function hold(child: Process, wanted: boolean): void {
  for (const handle of [child, child.stdin, child.stdout, child.stderr] as unknown as { ref?(): void; unref?(): void }[]) {
    if (wanted) handle.ref?.();
    else handle.unref?.();
  }
}
