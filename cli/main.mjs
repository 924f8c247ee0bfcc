// Entry of the command on Node 24: caches what it compiles, then hands over to the program.
// Plain JavaScript: with the cache on before the first TypeScript is met, a later start need not load what strips types.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/tidemill', import.meta.url)));

// Whoever reads along may go away, as with `| head`: a server goes on without, everything else has nobody left to tell.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
    if (!process.argv.includes('server')) process.exit(0);
  });
}

const { runProgram } = await import('./program.ts');
process.exitCode = await runProgram(process.argv.slice(2));
