// Entry of the command on Node 24: caches what it compiles, then hands over to the program.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/tidemill', import.meta.url)));

const words = process.argv.slice(2);
// Whoever read along has gone, as with `| head`: a server goes on without, everything else has nobody left to tell.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (!words.includes('server')) process.exit(0);
  });
}

// Whoever read what we write is gone, as with `| head`: then there is nothing more to do, except for the server.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (!process.argv.includes('server')) process.exit(0);
  });
}

const { runProgram } = await import('./program.ts');
process.exitCode = await runProgram(words);
