// The process that serves the sites: each on its own host, the name of its release below the sites' domain, with its namespace where two have the name.
import { createSite } from '../../site/site.ts';
import { openFollowing } from '../adapters.ts';
import { runProcess } from '../process.ts';
import { sendText } from '../server.ts';

void runProcess('site', async ({ settings, log, server, checks }) => {
  const adapters = openFollowing(settings, log);
  const { client, objects, namespaces } = adapters;
  const storage = await adapters.storage();
  const { namespace } = settings;
  const domain = `.${settings.siteHost.toLowerCase()}`;
  const site = createSite({ objects, storage, log, namespace, everywhere: true });
  Object.assign(checks, { kubernetes: () => objects.list('Release', { namespace, limit: 1 }), storage: () => storage.list('inbox/', { limit: 1 }) });
  server.open((request, response) => {
    const host = (request.headers.host ?? '').toLowerCase().replace(/:\d{1,5}$/, '');
    if (!host.endsWith(domain)) return sendText(response, 421, `Sites are served on <project>${domain}; this request is for another host.\n`);
    if (request.headers.expect) response.writeContinue();
    return site(request, response, host.slice(0, -domain.length));
  });
  return {
    stop: async () => {
      site.close();
      namespaces.stop();
      client.close();
    },
  };
});
