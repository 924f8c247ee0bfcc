// The clock struck: what writers that died left half-written in the storage is taken away.
import { type Handler, NotYet } from '../../shared/host/contract.ts';
import type { functions } from '../graph.ts';

/** What is older was left by a process that is dead: no write of ours takes so long. */
const ABANDONED_MS = 2 * 24 * 60 * 60 * 1000;
/** Between one portion and the next, so that others come in. */
const REST_MS = 1000;

export const handle: Handler<(typeof functions)['storage-sweep']> = async (_event, { storage, now, log }) => {
  const { removed, more } = await storage.sweep(new Date(Date.parse(now()) - ABANDONED_MS).toISOString());
  if (removed > 0) log.info({ removed, more }, 'Half-written bytes of writers that died were taken away');
  // A store that says so, and from which nothing goes, is left to the next tick.
  if (more && removed > 0) throw new NotYet(`${removed} were taken away, and there are more`, REST_MS, true);
  return {};
};
