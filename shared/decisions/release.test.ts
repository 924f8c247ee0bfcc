import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventData } from '../events/types.ts';
import { type Obj, parseStatus, type StatusOf } from '../objects/kinds.ts';
import { decideDeploy, decideRetire, decideRollback, type Decision } from './release.ts';

type Status = StatusOf<'Release'>;
type Request = EventData<'dev.tidemill.release.requested.v1'>;

const NOW = '2026-11-03T10:00:00Z';
const LANE = 'site.branch.main';
const EMPTY: Status = { history: [] };
const request = (of: Partial<Request> = {}): Request => ({
  namespace: 'default',
  project: 'site',
  environment: 'production',
  action: 'deploy',
  trigger: 'webhook',
  lane: LANE,
  ...of,
});
const byUser = (of: Partial<Request> = {}) => request({ trigger: 'user', by: 'ada', ...of });

function artifact(version: string, changes: Partial<Obj<'Artifact'>['status'] & object> = {}, name = `site-${version}`): Obj<'Artifact'> {
  return {
    apiVersion: 'tidemill.dev/v1alpha1',
    kind: 'Artifact',
    metadata: { name, namespace: 'default', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: NOW },
    spec: {
      type: 'site',
      project: 'site',
      execution: 'e',
      source: 's',
      taskRun: 't',
      manifest: `sha256:${'a'.repeat(64)}`,
      archive: `sha256:${'b'.repeat(64)}`,
      files: 1,
      size: 1,
    },
    status: { phase: 'Resolved', version, ...changes },
  };
}

const statusOf = (decision: Decision): Status => {
  if (!('status' in decision)) throw new Error(`refused or unchanged: ${JSON.stringify(decision)}`);
  return parseStatus('Release', JSON.parse(JSON.stringify(decision.status)));
};
const deploy = (status: Status, version: string, of: Partial<Request> = {}) => decideDeploy(status, byUser(of), artifact(version), NOW);
const deployed = (...versions: string[]) => versions.reduce((status, version) => statusOf(deploy(status, version)), EMPTY);
const rolledBack = (status: Status, version?: string) => statusOf(decideRollback(status, byUser({ action: 'rollback', ...(version && { version }) }), NOW));
const live = (status: Status) => status.current?.version;

describe('an automatic release', () => {
  it('never goes back in number, whatever was asked for before', () => {
    const step = fc.record({ number: fc.integer({ min: 1, max: 20 }), user: fc.boolean(), rollback: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let status = EMPTY;
        let newest = 0;
        for (const { number, user, rollback } of steps) {
          const decision = rollback
            ? decideRollback(status, byUser({ action: 'rollback' }), NOW)
            : decideDeploy(status, user ? byUser({ number }) : request({ number }), artifact(`v${number}`), NOW);
          if (!rollback && !user) {
            if (number < newest) expect(decision).toHaveProperty('refused');
            else expect(decision).not.toHaveProperty('refused');
          }
          if ('status' in decision) {
            status = statusOf(decision);
            if (!rollback) newest = Math.max(newest, number);
            expect(decision.live).toBe(decision.status.current);
          }
        }
      }),
    );
  });

  it('says which number is newer', () => {
    const status = statusOf(decideDeploy(EMPTY, request({ number: 7 }), artifact('v7'), NOW));
    expect(decideDeploy(status, request({ number: 6 }), artifact('v6'), NOW)).toEqual({ refused: expect.stringMatching(/number 6 is older than number 7/) });
  });

  it('is not brought back by itself after a person rolled back from it, nor by a rerun of the same number', () => {
    let status = statusOf(decideDeploy(EMPTY, request({ number: 1 }), artifact('v1'), NOW));
    status = statusOf(decideDeploy(status, request({ number: 2 }), artifact('v2'), NOW));
    status = rolledBack(status);
    expect(live(status)).toBe('v1');
    expect(decideDeploy(status, request({ number: 1 }), artifact('v1b'), NOW)).toHaveProperty('refused');
    expect(live(statusOf(decideDeploy(status, request({ number: 3 }), artifact('v3'), NOW)))).toBe('v3');
  });

  it('compares numbers of one lane only: a new production branch begins at one', () => {
    const status = statusOf(decideDeploy(EMPTY, request({ number: 50 }), artifact('old'), NOW));
    expect(live(statusOf(decideDeploy(status, request({ number: 1, lane: 'site.branch.trunk' }), artifact('new'), NOW)))).toBe('new');
  });

  it('of a commit that was outdated is refused, and a person may have it all the same', () => {
    expect(decideDeploy(EMPTY, request({ number: 9, outdated: true }), artifact('v1'), NOW)).toEqual({ refused: expect.stringMatching(/moved on/) });
    expect(live(statusOf(decideDeploy(EMPTY, byUser({ number: 9, outdated: true }), artifact('v1'), NOW)))).toBe('v1');
  });

  it('does not come back after its branch was deleted; what is begun later does', () => {
    const retired = decideRetire(deployed('v1'), { lane: LANE, number: 4 });
    expect(decideDeploy(retired, request({ number: 4 }), artifact('v4'), NOW)).toEqual({ refused: expect.stringMatching(/branch was deleted/) });
    expect(live(statusOf(decideDeploy(retired, request({ number: 5 }), artifact('v5'), NOW)))).toBe('v5');
  });
});

describe("a person's deploy", () => {
  it('may go back in number, and is recorded with its person', () => {
    const status = statusOf(decideDeploy(EMPTY, request({ number: 9 }), artifact('v9'), NOW));
    const back = statusOf(decideDeploy(status, byUser({ number: 2 }), artifact('v2'), NOW));
    expect(back.current).toMatchObject({ version: 'v2', by: 'ada', trigger: 'user', number: 2, lane: LANE, at: NOW });
    expect(back.history).toMatchObject([{ version: 'v9' }]);
  });

  it('of what is live changes nothing', () => {
    const status = deployed('v1', 'v2');
    expect(deploy(status, 'v2')).toEqual({ same: status.current });
  });

  it.each([
    ['not resolved', { phase: 'Unresolved' as const }],
    ['failed', { phase: 'Failed' as const }],
    ['without a version', { version: undefined }],
  ])('of an artifact that is %s is refused', (_, changes) => {
    expect(decideDeploy(EMPTY, byUser(), artifact('v1', changes), NOW)).toEqual({ refused: expect.stringContaining('no site that can be served') });
  });

  it('of a commit, which is no site, is refused', () => {
    const commit = { ...artifact('v1'), spec: { type: 'git', project: 'site', execution: 'e', url: '/r', ref: 'main' } } as Obj<'Artifact'>;
    expect(decideDeploy(EMPTY, byUser(), commit, NOW)).toEqual({ refused: expect.stringContaining('it is git') });
  });

  it('takes away the reason why an earlier request was refused', () => {
    const status: Status = { ...deployed('v1'), refused: { reason: 'no', at: NOW } };
    expect(statusOf(deploy(status, 'v2')).refused).toBeUndefined();
  });
});

describe('a rollback', () => {
  it('goes to what was live before', () => {
    const status = rolledBack(deployed('v1', 'v2', 'v3'));
    expect(status.current).toMatchObject({ version: 'v2', rollback: true, by: 'ada' });
    expect(status.history.map((entry) => entry.version)).toEqual(['v3', 'v2', 'v1']);
  });

  it('again goes further back, and ends at the first', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }), (numbers) => {
        const versions = numbers.map((n) => `v${n}`);
        let status = deployed(...versions);
        for (const version of versions.slice(0, -1).toReversed()) {
          status = rolledBack(status);
          expect(live(status)).toBe(version);
        }
        expect(decideRollback(status, byUser({ action: 'rollback' }), NOW)).toEqual({ refused: 'no earlier version was live here' });
      }),
    );
  });

  it('ends, whatever was deployed and rolled back to in between', () => {
    const step = fc.oneof(fc.constantFrom('v1', 'v2', 'v3', 'v4'), fc.constant(undefined));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        let status = EMPTY;
        for (const version of steps) {
          const decision = version ? deploy(status, version) : decideRollback(status, byUser({ action: 'rollback' }), NOW);
          if ('status' in decision) status = statusOf(decision);
        }
        let times = 0;
        for (let decision = decideRollback(status, byUser(), NOW); 'status' in decision; decision = decideRollback(statusOf(decision), byUser(), NOW)) {
          expect(++times).toBeLessThanOrEqual(steps.length);
        }
      }),
    );
  });

  it('after a deploy that followed a rollback goes to what that rollback had chosen', () => {
    let status = rolledBack(deployed('v1', 'v2'));
    status = statusOf(deploy(status, 'v3'));
    expect(live(rolledBack(status))).toBe('v1');
  });

  it('of a version that was deployed again goes to what it replaced', () => {
    expect(live(rolledBack(deployed('v1', 'v2', 'v1')))).toBe('v2');
  });

  it('goes to a version by its name, however far back', () => {
    const status = rolledBack(deployed('v1', 'v2', 'v3'), 'v1');
    expect(status.current).toMatchObject({ version: 'v1', rollback: true });
  });

  it('keeps the number of what it goes back to, so that what is newer is still newer', () => {
    let status = statusOf(decideDeploy(EMPTY, request({ number: 1 }), artifact('v1'), NOW));
    status = statusOf(decideDeploy(status, request({ number: 2 }), artifact('v2'), NOW));
    expect(rolledBack(status).current).toMatchObject({ number: 1, lane: LANE });
  });

  it('to the version that is live changes nothing, even where it is in the history too', () => {
    const status = rolledBack(deployed('v1', 'v2'), 'v1');
    expect(decideRollback(status, byUser({ version: 'v1' }), NOW)).toEqual({ same: status.current });
  });

  it('to a version that was never live, or where nothing is live, is refused with what to do', () => {
    expect(decideRollback(deployed('v1'), byUser({ version: 'v9' }), NOW)).toEqual({ refused: expect.stringMatching(/v9 was never live here; deploy it/) });
    expect(decideRollback(EMPTY, byUser(), NOW)).toEqual({ refused: expect.stringMatching(/nothing is live/) });
  });

  it('does not go forward when the first deployment of what is live is forgotten', () => {
    let status = deployed('v1', 'v2', 'v3');
    status = rolledBack(status, 'v1');
    status = { ...status, history: status.history.filter((entry) => entry.version !== 'v1') };
    expect(decideRollback(status, byUser(), NOW)).toHaveProperty('refused');
  });
});

describe('retire', () => {
  it('takes what is live off the air and keeps the history', () => {
    const status = decideRetire(deployed('v1', 'v2'), {});
    expect(status.current).toBeUndefined();
    expect(status.history.map((entry) => entry.version)).toEqual(['v2', 'v1']);
    expect(status.retired).toBeUndefined();
  });

  it('again changes nothing', () => {
    const status = decideRetire(deployed('v1'), { lane: LANE, number: 3 });
    expect(decideRetire(status, { lane: LANE, number: 3 })).toEqual(status);
  });

  it('can be followed by a rollback to a named version only after a deploy', () => {
    const status = decideRetire(deployed('v1'), {});
    expect(decideRollback(status, byUser({ version: 'v1' }), NOW)).toHaveProperty('refused');
    expect(live(statusOf(deploy(status, 'v1')))).toBe('v1');
  });
});

it('remembers a hundred deployments', () => {
  const status = deployed(...Array.from({ length: 130 }, (_, n) => `v${n}`));
  expect(status.history).toHaveLength(100);
  expect(status.history[0]!.version).toBe('v128');
  expect(decideRetire(status, {}).history).toHaveLength(100);
  expect(rolledBack(status).history).toHaveLength(100);
});
