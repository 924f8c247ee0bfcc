// The runner on real Tekton against the Runner contract, and every Task of it on the local runner as well: both come to the same.
import { runnerContract } from '../contracts/runner.ts';
import { openLocalRunner } from '../contracts/runner/local.ts';
import { openTektonRunner } from '../contracts/runner/tekton.ts';

// The sandbox tells of signals as exit codes.
const sandbox = {
  can: { ownPaths: true, signals: false },
  open: (namespace: string) => openLocalRunner({ isolation: 'bubblewrap', namespace, env: { PATH: process.env['PATH'], LANG: 'C' } }),
};

runnerContract('Tekton', { ownPaths: true, signals: true }, () => openTektonRunner(), sandbox);
