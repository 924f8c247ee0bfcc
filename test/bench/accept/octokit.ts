// The peer: octokit's node middleware with a handler for pushes that publishes to nothing.
// Usage: octokit.ts - SECRET. Prints its port; ends with stdin.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createNodeMiddleware, Webhooks } from '@octokit/webhooks';

const webhooks = new Webhooks({ secret: process.argv[3] ?? '' });
webhooks.on('push', () => undefined);
const middleware = createNodeMiddleware(webhooks, { path: '/webhooks/github' });
const server = createServer((request, response) => void middleware(request, response));
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })));
process.stdin.resume().on('end', () => {
  server.close();
  server.closeAllConnections();
});
