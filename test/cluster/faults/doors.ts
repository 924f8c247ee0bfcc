// The way to a function that does not lead through the API server, where the service addresses of the cluster can be reached from here.
import { request as httpRequest } from 'node:http';
import { type Door, door, type Installation, kubectl } from '../chain/installation.ts';

const LOOK_MS = 2000;

/** The service's own address; where that cannot be reached, the way that there is anyway. */
export async function directDoor(installation: Installation, service: string, other: Door): Promise<Door> {
  if (installation.overlay === 'knative') return other;
  const address = await kubectl('-n', installation.namespace, 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}');
  const url = `http://${address}`;
  return (await answers(`${url}/healthz`)) ? door(url, undefined) : other;
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { timeout: LOOK_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
    request.end();
  });
}
