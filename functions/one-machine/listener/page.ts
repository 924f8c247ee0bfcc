// The page at "/": what this is, where the sites are, what to type next. It needs no token and shows nothing that is secret.
import type { ServerResponse } from 'node:http';

export interface SiteLink {
  name: string;
  url: string;
}

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
code { font: 0.95em ui-monospace, monospace }
pre { overflow-x: auto; padding: 0.75rem 1rem; border: 1px solid; border-radius: 0.25rem }
`;

/** Nothing is loaded from anywhere, nothing runs, and no other page may frame it. */
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export function sendPage(response: ServerResponse, sites: readonly SiteLink[], method: string): void {
  const html = page(sites);
  response.writeHead(200, { ...HEADERS, 'Content-Length': Buffer.byteLength(html) });
  response.end(method === 'HEAD' ? undefined : html);
}

function page(sites: readonly SiteLink[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tidemill</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>tidemill</h1>
<p>From a push to a released site, on this machine.</p></header>
<main>
<section aria-labelledby="sites"><h2 id="sites">Sites</h2>
${siteList(sites)}</section>
<section aria-labelledby="next"><h2 id="next">What to type next</h2>
<pre><code>npx tidemill list
npx tidemill add &lt;project&gt; &lt;path or URL of a git repository&gt;
npx tidemill status &lt;project&gt;
npx tidemill rollback &lt;project&gt;</code></pre>
<p>To connect GitHub, point a webhook with content type <code>application/json</code> and this server’s secret at <code>/webhooks/github</code>.</p>
</section>
</main>
</body>
</html>
`;
}

function siteList(sites: readonly SiteLink[]): string {
  if (sites.length === 0) return '<p>Nothing is released yet.</p>\n';
  const items = sites.map(({ name, url }) => `<li><a href="${escape(url)}">${escape(name)}</a></li>`);
  return `<ul>\n${items.join('\n')}\n</ul>\n`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
