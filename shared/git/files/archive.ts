// A tree as a tar whose bytes depend on nothing but the tree: fixed times, owners and order.
import { pack } from 'tar-stream';
import { GitError } from '../../ports/git.ts';
import type { ObjectReader } from '../objects/reader.ts';
import { nameText } from '../objects/objects.ts';
import type { TreeFile } from '../objects/tree.ts';

const MAX_LINK = 4096;
const EPOCH = new Date(0);
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The files in the order of the tree; submodules as empty folders. Constant memory. Throws GitError "invalid" for a name that tar cannot carry. */
export async function* tarTree(reader: ObjectReader, files: readonly TreeFile[]): AsyncGenerator<Uint8Array> {
  const tar = pack();
  const fill = fillTar(tar, reader, files).catch((error: unknown) => tar.destroy(error as Error));
  try {
    yield* tar as AsyncIterable<Uint8Array>;
  } finally {
    tar.destroy();
    await fill;
  }
}

type Pack = ReturnType<typeof pack>;

async function fillTar(tar: Pack, reader: ObjectReader, files: readonly TreeFile[]): Promise<void> {
  const withBytes = files.filter((file) => file.kind !== 'submodule');
  const blobs = reader.stream(withBytes.map((file) => file.oid));
  try {
    for (const file of files) {
      if (file.kind === 'submodule') {
        await addEntry(tar, { name: `${name(file)}/`, type: 'directory', mode: 0o755, size: 0 }, []);
        continue;
      }
      const { size, pieces } = (await blobs.next()).value as { size: number; pieces: AsyncIterable<Buffer> };
      if (file.kind === 'symlink')
        await addEntry(tar, { name: name(file), type: 'symlink', mode: 0o777, size: 0, linkname: await linkTarget(pieces, size) }, []);
      else await addEntry(tar, { name: name(file), type: 'file', mode: file.kind === 'executable' ? 0o755 : 0o644, size }, pieces);
    }
    tar.finalize();
  } finally {
    await blobs.return(undefined);
  }
}

type Header = { name: string; type: 'file' | 'symlink' | 'directory'; mode: number; size: number; linkname?: string };

async function addEntry(tar: Pack, header: Header, body: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> {
  const ended = Promise.withResolvers<undefined>();
  ended.promise.catch(() => {}); // Thrown below, unless the bytes could not be read: then that is.
  let full: PromiseWithResolvers<void> | undefined;
  const entry = tar.entry({ ...header, mtime: EPOCH, uid: 0, gid: 0, uname: '', gname: '' }, (error) => {
    if (error) ended.reject(error);
    else ended.resolve(undefined);
    full?.reject(error ?? new Error('the entry ended before its bytes were written'));
  });
  if (header.type === 'file') {
    entry.on('drain', () => full?.resolve());
    for await (const piece of body) {
      if (entry.write(piece)) continue;
      full = Promise.withResolvers();
      await full.promise;
    }
    entry.end(undefined);
  }
  await ended.promise;
}

function name(file: TreeFile): string {
  try {
    return UTF8.decode(Buffer.from(file.path, 'latin1'));
  } catch {
    throw new GitError('invalid', `The file name ${JSON.stringify(nameText(file.path))} is not UTF-8 and cannot stand in an archive; rename it`);
  }
}

async function linkTarget(pieces: AsyncIterable<Buffer>, size: number): Promise<string> {
  if (size > MAX_LINK) throw new GitError('refused', `A symlink of the repository has a target of ${size} bytes; ${MAX_LINK} are the most`);
  const parts: Buffer[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts).toString('utf8');
}
