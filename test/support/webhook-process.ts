// The webhook in a process of its own, to be traced, starved of disk and killed.
// Usage: webhook-process.ts DIRECTORY SECRET [keep|handle]. Prints its port. With "handle", each body is handled as it comes:
// its digest goes to DIRECTORY/handled.
// On stdin: "fill" uses up the disk below DIRECTORY, "free" gives it back; each is answered with a line;
// "handled" is answered with what was handled, once nothing waits; with "keep" nothing is before that. Ends with stdin.
import { createHash } from 'node:crypto';
import { appendFile, type FileHandle, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGithubWebhook } from '../../functions/github-webhook/accept.ts';
import { openInbox } from '../../functions/github-webhook/inbox/inbox.ts';
import { quiet } from './webhook.ts';

const [directory = '', secret = '', mode = 'keep'] = process.argv.slice(2);
const filler = join(directory, 'filler');
const inbox = await openInbox({ directory: join(directory, 'inbox'), log: quiet, segment_bytes: 256 * 1024 });
if (mode === 'handle') drain();
const server = createServer(createGithubWebhook({ secret: () => secret, inbox, log: quiet }));
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'fill') await fill();
  if (line === 'free') await rm(filler);
  console.log(line === 'handled' ? await handled() : line);
}
server.close();
server.closeAllConnections();
await inbox.close();

function drain(): void {
  inbox.drain(async (records) => {
    const digests = records.map(({ body }) => createHash('sha256').update(body).digest('hex'));
    await appendFile(join(directory, 'handled'), `${digests.join('\n')}\n`);
  });
}

async function handled(): Promise<string> {
  if (mode !== 'handle') drain();
  await inbox.caughtUp();
  return JSON.stringify((await readFile(join(directory, 'handled'), 'utf8')).trim().split('\n'));
}

/** Down to the last page: first in large pieces, then in small ones. */
async function fill(): Promise<void> {
  const file = await open(filler, 'w');
  for (const piece of [1024 * 1024, 4096, 1]) while (await fits(file, piece));
  await file.close();
}

async function fits(file: FileHandle, bytes: number): Promise<boolean> {
  try {
    await file.appendFile(Buffer.alloc(bytes));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
