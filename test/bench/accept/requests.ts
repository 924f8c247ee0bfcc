// The requests that both servers get: signed pushes of 5 KB, each a push of its own.
import { createHash, createHmac } from 'node:crypto';

const BODY_BYTES = 5 * 1024;

/** In the form that load.lua reads. */
export function buildRequests(count: number, secret: string): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const request = buildRequest(index, secret);
    parts.push(Buffer.from(`${request.length}\n`), request);
  }
  return Buffer.concat(parts);
}

function buildRequest(index: number, secret: string): Buffer {
  const body = pushBody(index);
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const head = [
    'POST /webhooks/github HTTP/1.1',
    'Host: localhost',
    'Accept: */*',
    'Content-Type: application/json',
    'User-Agent: GitHub-Hookshot/044aadd',
    `X-GitHub-Delivery: ${sha(`delivery ${index}`).slice(0, 32)}`,
    'X-GitHub-Event: push',
    'X-GitHub-Hook-ID: 292430182',
    'X-GitHub-Hook-Installation-Target-ID: 79929171',
    'X-GitHub-Hook-Installation-Target-Type: repository',
    `X-Hub-Signature-256: sha256=${signature}`,
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

function pushBody(index: number): Buffer {
  const payload = {
    ref: 'refs/heads/main',
    before: sha(`commit ${index}`),
    after: sha(`commit ${index + 1}`),
    repository: {
      id: 186_853_002,
      name: 'hello',
      full_name: 'someone/hello',
      html_url: 'https://github.com/someone/hello',
      clone_url: 'https://github.com/someone/hello.git',
      pushed_at: 1_760_000_000 + index,
      default_branch: 'main',
    },
    pusher: { name: 'someone', email: 'someone@example.com' },
    sender: { login: 'someone', id: 21_031_067 },
    created: false,
    deleted: false,
    forced: false,
    commits: [] as object[],
  };
  for (let commit = 0; JSON.stringify(payload).length < BODY_BYTES - 400; commit++) payload.commits.push(commitOf(`${index}.${commit}`));
  const missing = BODY_BYTES - JSON.stringify({ ...payload, compare: '' }).length;
  return Buffer.from(JSON.stringify({ ...payload, compare: 'x'.repeat(missing) }));
}

function commitOf(name: string): object {
  const person = { name: 'Some One', email: 'someone@example.com', username: 'someone' };
  return {
    id: sha(name),
    tree_id: sha(`tree ${name}`),
    message: `Change ${name}`,
    distinct: true,
    author: person,
    modified: [`src/${sha(name).slice(0, 6)}.ts`],
  };
}

function sha(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
