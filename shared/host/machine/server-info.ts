// Where the running server is, as it says in its data folder: read by clients. Apart from data-folder.ts, so that a start need not load zod first.
import { z } from 'zod';
import { dataPaths, readIfThere, type ServerInfo } from './data-folder.ts';

const serverInfo = z.object({
  /** Where the API answers, such as http://127.0.0.1:8787 */
  url: z.url({ protocol: /^https?$/ }),
  pid: z.int().positive(),
  /** RFC 3339. */
  startedAt: z.iso.datetime({ offset: true }),
});

/** What the server last wrote; undefined when it never did, or closed. Whether it still lives is the caller's to find out. */
export async function readServerInfo(root: string): Promise<ServerInfo | undefined> {
  const path = dataPaths(root).server;
  const content = await readIfThere(path);
  if (content === undefined) return undefined;
  const checked = serverInfo.safeParse(parseOrUndefined(content));
  if (!checked.success) throw new Error(`${path} is not what tidemill writes there; stop the server, delete the file, and start again`);
  return checked.data;
}

function parseOrUndefined(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined; // The schema says what is wrong with it.
  }
}
