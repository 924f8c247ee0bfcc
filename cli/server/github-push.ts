// The webhook that GitHub would send for the first push to a repository, signed as GitHub signs it.
// Shape: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
import { createHmac, randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import type { ExampleCommit } from './example.ts';

const NO_COMMIT = '0'.repeat(40);
/** GitHub counts from 1; this one is told of no other repository. */
const REPOSITORY_ID = 1;

/** POSTs the push and resolves with the answer's status and words. */
export async function sendPush(serverUrl: string, secret: string, repository: string, commit: ExampleCommit): Promise<{ status: number; text: string }> {
  const body = Buffer.from(JSON.stringify(pushPayload(repository, commit)));
  const response = await fetch(new URL('/webhooks/github', serverUrl), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'tidemill',
      'x-github-event': 'push',
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
    body,
  });
  return { status: response.status, text: (await response.text()).slice(0, 1000) };
}

function pushPayload(path: string, { sha, tree, branch, subject, time }: ExampleCommit) {
  const person = { name: 'tidemill', email: 'tidemill@localhost', username: 'tidemill' };
  const name = basename(path);
  const address = `file://${path}`;
  const pushedAt = Math.floor(Date.parse(time) / 1000);
  const head = {
    id: sha,
    tree_id: tree,
    distinct: true,
    message: subject,
    timestamp: time,
    url: address,
    author: person,
    committer: person,
    added: [],
    removed: [],
    modified: [],
  };
  return {
    ref: `refs/heads/${branch}`,
    before: NO_COMMIT,
    after: sha,
    created: true,
    deleted: false,
    forced: false,
    base_ref: null,
    compare: address,
    commits: [head],
    head_commit: head,
    pusher: { name: person.name, email: person.email },
    sender: { login: person.username, id: 1, type: 'User' },
    repository: {
      id: REPOSITORY_ID,
      name,
      full_name: `${person.username}/${name}`,
      private: true,
      owner: { name: person.name, login: person.username, id: 1, type: 'User' },
      html_url: address,
      clone_url: path,
      default_branch: branch,
      created_at: pushedAt,
      pushed_at: pushedAt,
    },
  };
}
