#!/usr/bin/env node
// The tidemill command. Plain JavaScript, since it may be started by an old Node: it finds a new one and hands over to main.mjs.
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { run } from './node.mjs';

await run(fileURLToPath(new URL('./main.mjs', import.meta.url)), argv.slice(2));
