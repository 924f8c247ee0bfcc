// Entry of the command on Node 24: caches what it compiles, then hands over to the program.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/tidemill', import.meta.url)));

const { runProgram } = await import('./program.ts');
process.exitCode = await runProgram(process.argv.slice(2));
