// Pages of the site server's own, for when there is no file to answer with: what is the matter, and what to do.
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Notice {
  status: number;
  title: string;
  /** Plain text, one paragraph each. */
  text: readonly string[];
  /** Shown as something to type. */
  command?: string;
  headers?: readonly string[];
}

export function noSite(host: string): Notice {
  const project = projectOf(host);
  return {
    status: 404,
    title: 'No such site',
    text: [`There is no site named “${host}” here. To make one, give its repository:`],
    command: `npx tidemill add ${project} <path or URL of its repository>`,
  };
}

export function notDeployed(host: string): Notice {
  const project = projectOf(host);
  return {
    status: 503,
    title: 'Nothing here yet',
    text: [`“${host}” has had no release yet. When its build is done, it is here: try again in a moment. To see how far it is:`],
    command: `npx tidemill status ${project}`,
    headers: ['Retry-After', '5'],
  };
}

export function retired(host: string): Notice {
  return {
    status: 404,
    title: 'No longer here',
    text: [`“${host}” has no release: it was retired, or its branch is gone. To release it again:`],
    command: `npx tidemill deploy ${projectOf(host)} latest`,
  };
}

export const notFound: Notice = { status: 404, title: 'Not found', text: ['This site has no page or file of this name.'] };
export const badRequest: Notice = {
  status: 400,
  title: 'Bad request',
  text: ['The address of this request cannot be understood: its path is not valid, or could mean two things.'],
};
export const wrongMethod: Notice = {
  status: 405,
  title: 'Method not allowed',
  text: ['A site’s files can only be read: use GET or HEAD.'],
  headers: ['Allow', 'GET, HEAD'],
};
export const broken: Notice = { status: 500, title: 'Something is wrong here', text: ['The site’s files could not be read. The server’s log says why.'] };

/** Of `branch--project` as of `project`, with or without `.namespace` behind it. */
export function projectOf(host: string): string {
  return host.split('.', 1)[0]!.split('--').at(-1)!;
}

const FIXED = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff', 'Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'"];

export function sendNotice(req: IncomingMessage, res: ServerResponse, notice: Notice): void {
  const html = req.headers.accept?.includes('text/html') ?? false;
  const body = Buffer.from(html ? page(notice) : plain(notice));
  const headers = ['Content-Type', html ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8', 'Content-Length', String(body.length), ...FIXED];
  res.writeHead(notice.status, notice.headers ? [...headers, ...notice.headers] : headers);
  res.end(req.method === 'HEAD' ? undefined : body);
}

function plain({ title, text, command }: Notice): string {
  return `${[title, ...text, ...(command ? [`  ${command}`] : [])].join('\n\n')}\n`;
}

function page({ title, text, command }: Notice): string {
  const paragraphs = text.map((each) => `<p>${escape(each)}</p>`).join('');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}code{font-size:.95em}</style>
<main><h1>${escape(title)}</h1>${paragraphs}${command ? `<pre><code>${escape(command)}</code></pre>` : ''}</main></html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
