// What GitHub sends, made and signed for tests.
import { createHmac } from 'node:crypto';

export interface PushTold {
  /** clone_url of the repository: for tests the path of a local one. */
  repository: string;
  repositoryId?: number;
  ref?: string;
  before?: string;
  after: string;
  /** Seconds. */
  pushedAt?: number;
}

const ZERO = '0'.repeat(40);

export function pushBody(told: PushTold): Buffer {
  const { repository, repositoryId = 1234, ref = 'refs/heads/main', before = ZERO, after, pushedAt = 1_790_000_000 } = told;
  return Buffer.from(
    JSON.stringify({
      ref,
      before,
      after,
      created: before === ZERO,
      deleted: after === ZERO,
      forced: false,
      repository: {
        id: repositoryId,
        name: 'site',
        full_name: 'example/site',
        clone_url: repository,
        ssh_url: repository,
        html_url: repository,
        default_branch: 'main',
        pushed_at: pushedAt,
      },
      pusher: { name: 'octo' },
      sender: { login: 'octo', id: 1 },
      commits: [],
      head_commit: after === ZERO ? null : { id: after, message: 'A change', timestamp: new Date(pushedAt * 1000).toISOString() },
    }),
  );
}

export function signedHeaders(body: Buffer, secret: string, event = 'push', delivery: string = crypto.randomUUID()): Record<string, string> {
  return {
    'content-type': 'application/json',
    'x-github-event': event,
    'x-github-delivery': delivery,
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    'user-agent': 'GitHub-Hookshot/test',
  };
}
