// The runner on real Tekton against the Runner contract.
import { runnerContract } from '../contracts/runner.ts';
import { openTektonRunner } from '../contracts/runner/tekton.ts';

runnerContract('Tekton', { ownPaths: true, signals: true }, () => openTektonRunner());
