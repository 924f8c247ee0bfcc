// The local runner against the Runner contract, once with plain processes and once in bubblewrap.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { runnerContract } from '../../test/contracts/runner.ts';
import { openLocalRunner } from '../../test/contracts/runner/local.ts';

// Plain processes see the machine's paths; the sandbox tells of signals as exit codes.
runnerContract('local, plain processes', { ownPaths: false, signals: true }, () => openLocalRunner({ isolation: 'none' }));

const hasBubblewrap = works('bwrap', ['--ro-bind', '/', '/', 'true']);
if (hasBubblewrap) runnerContract('local, bubblewrap', { ownPaths: true, signals: false }, () => openLocalRunner({ isolation: 'bubblewrap' }));

describe('bubblewrap', () => {
  test.runIf(process.env['CI'])('is there in CI', () => expect(hasBubblewrap).toBe(true));
});

function works(file: string, args: string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false; // not installed, or not allowed here
  }
}
