// A watcher in a process of its own, to be killed: prints a line when it leads, and the subject of each event that it publishes.
import process from 'node:process';
import { recordingBroker } from '../../support/watcher.ts';
import { candidate, newClient } from './world.ts';

const [namespace, identity] = process.argv.slice(2) as [string, string];
const broker = recordingBroker();
const print: typeof broker = { ...broker, publish: async (events) => events.forEach((event) => process.stdout.write(`${event.id} ${event.subject}\n`)) };
const watcher = candidate(newClient(), namespace, print, identity);
watcher.start();
const timer = setInterval(() => {
  if (!watcher.leads() || watcher.notReady() !== undefined) return;
  clearInterval(timer);
  process.stdout.write('leads\n');
}, 20);
