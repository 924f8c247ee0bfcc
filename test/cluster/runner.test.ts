// The runner on real Tekton against the Runner contract, and every Task of it on the local runner as well: both come to the same.
import { runnerContract } from '../contracts/runner.ts';
import { openLocalRunner } from '../contracts/runner/local.ts';
import { openTektonRunner } from '../contracts/runner/tekton.ts';

// The sandbox tells of signals as exit codes.
const sandbox = { can: { ownPaths: true, signals: false }, open: () => openLocalRunner({ isolation: 'bubblewrap' }) };

runnerContract('Tekton', { ownPaths: true, signals: true }, () => openTektonRunner(), sandbox);
