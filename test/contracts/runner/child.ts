// A process of its own with a local runner in it, made to be killed. Arguments: the folder, and the TaskRuns to start as JSON.
import { readFileSync } from 'node:fs';
import { argv } from 'node:process';
import { newTaskRun } from '../runner.ts';
import { openLocalRunner } from './local.ts';

const [folder = '', file = '', isolation = 'none'] = argv.slice(2);
const under = await openLocalRunner({ isolation, folder, slots: 1 });
for (const [name, spec] of Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, object>))
  await under.runner.start(newTaskRun(under, name, spec));
process.stdout.write('started\n');
// Whoever started this process kills it.
setInterval(() => undefined, 60_000);
