import { describe, expect, test } from 'vitest';
import type { Change } from '../../functions/api/executions/watch.ts';
import { styleOf } from '../terminal/io.ts';
import { happenings } from './happenings.ts';

const style = styleOf({ write: () => undefined }, {});
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, second)).toISOString();

const execution = (more: object): Change => ({
  type: 'MODIFIED',
  kind: 'Execution',
  object: {
    name: 'shop-1',
    namespace: 'default',
    createdAt: at(0),
    project: 'shop',
    lane: 'l',
    number: 1,
    ref: 'refs/heads/main',
    sha: 'a'.repeat(40),
    trigger: 'poll',
    source: 's',
    phase: 'Running',
    subject: 'Say hello',
    ...more,
  },
});
const release = (more: object): Change => ({
  type: 'MODIFIED',
  kind: 'Release',
  object: {
    namespace: 'default',
    project: 'shop',
    environment: 'production',
    host: 'shop',
    url: 'http://shop.localhost/',
    history: [],
    current: { artifact: 'site', version: '1.0.0', manifest: `sha256:${'0'.repeat(64)}`, at: at(3), trigger: 'auto', ...more },
  },
});

async function said(...changes: Change[]): Promise<string[]> {
  const all = (async function* () {
    yield* changes;
  })();
  return (await Array.fromAsync(happenings(all, style))).map((line) => line.slice(9));
}

describe('happenings', () => {
  test('a version that goes live is said once, with how long it took from the push', async () => {
    expect(await said(execution({}), execution({ phase: 'Succeeded', artifact: 'site' }), release({}), release({}))).toEqual([
      '✓ http://shop.localhost/  1.0.0  3.0 s  Say hello\n',
    ]);
  });

  test('a build that failed is said once, with why and what to type', async () => {
    const failed = execution({ phase: 'Failed', message: 'Step build/site failed\u001B[2J' });
    expect(await said(failed, failed)).toEqual(['✗ shop main aaaaaaa  failed: Step build/site failed\n         npx tidemill logs shop-1\n']);
  });

  test('going back is said as that; what is deleted is not said', async () => {
    expect(await said(release({ rollback: true }), { ...release({ at: at(9) }), type: 'DELETED' })).toEqual(['✓ http://shop.localhost/  back to 1.0.0\n']);
  });
});
