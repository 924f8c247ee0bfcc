// One bench in a process of its own, so that none sees another's memory, caches or timers. Sends its rows to the parent.
import process, { argv, exit, stderr } from 'node:process';
import type { BenchRow, RunBench } from './row.ts';

const { run } = (await import(`./${argv[2]}.bench.ts`)) as { run: RunBench };
const rows: BenchRow[] = await run((line) => stderr.write(`  ${line}\n`), argv.slice(3));
if (!process.send) throw new Error('Run benches with npm run bench: this process has nobody to tell its rows');
await new Promise((sent) => process.send?.(rows, sent));
exit(0);
