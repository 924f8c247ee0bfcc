import examples from '@octokit/webhooks-examples' with { type: 'json' };
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEvent } from '../../../shared/events/event.ts';
import { pushBody } from '../../../test/support/github.ts';
import { translate, type Translation, type WebhookHead } from './translate.ts';

const HEAD: WebhookHead = { event: 'push', contentType: 'json', received: '2026-11-21T10:00:00.000Z' };
const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const ZERO = '0'.repeat(40);
const GITHUB = 'https://github.com/example/site.git';

const push = (told: Partial<Parameters<typeof pushBody>[0]> = {}) => pushBody({ repository: GITHUB, before: A, after: B, ...told });

/** The payload with the values at these paths replaced; undefined takes one out. */
function changed(values: Record<string, unknown>, body: Buffer = push()): Buffer {
  const payload = JSON.parse(body.toString()) as object;
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split('.');
    const last = keys.pop()!;
    const parent = keys.reduce<object>((at, key) => Reflect.get(at, key) as object, payload);
    Reflect.set(parent, last, typeof value === 'bigint' ? String(value) : value);
  }
  return Buffer.from(JSON.stringify(payload));
}

function only(translation: Translation) {
  if (translation.kind !== 'events') throw new Error(`Not events: ${translation.reason}`);
  expect(translation.events).toHaveLength(1);
  return translation.events[0]!;
}

function reasonOf(body: Buffer, head: Partial<WebhookHead> = {}): string {
  const translation = translate({ ...HEAD, ...head }, body);
  if (translation.kind !== 'invalid') throw new Error(`Not invalid, but ${JSON.stringify(translation)}`);
  return translation.reason;
}

test('a push to a branch', () => {
  const event = only(translate(HEAD, push({ pushedAt: 1_790_000_000 })));
  expect(event).toMatchObject({
    type: 'dev.tidemill.git.push.v1',
    source: 'https://github.com/repositories/1234',
    subject: 'refs/heads/main',
    time: '2026-09-21T14:13:20.000Z',
    data: {
      repository: GITHUB,
      repositoryId: '1234',
      ref: 'refs/heads/main',
      before: A,
      after: B,
      forced: false,
      teller: 'webhook',
      by: 'octo',
      pushedAt: '2026-09-21T14:13:20.000Z',
    },
  });
  expect(parseEvent(event)).toEqual(event);
});

test('a new branch, a tag, a deleted branch and a deleted tag', () => {
  expect(only(translate(HEAD, push({ before: ZERO })))).toMatchObject({ type: 'dev.tidemill.git.push.v1', data: { before: ZERO } });
  expect(only(translate(HEAD, push({ ref: 'refs/tags/v1.0.0', before: ZERO })))).toMatchObject({
    type: 'dev.tidemill.git.tag.v1',
    data: { ref: 'refs/tags/v1.0.0', after: B },
  });
  const deleted = only(translate(HEAD, push({ ref: 'refs/heads/old', after: ZERO })));
  expect(deleted).toMatchObject({ type: 'dev.tidemill.git.branch-deleted.v1', data: { ref: 'refs/heads/old', before: A } });
  expect(deleted.data).not.toHaveProperty('after');
  expect(translate(HEAD, push({ ref: 'refs/tags/v1', after: ZERO }))).toEqual({ kind: 'nothing', reason: expect.stringContaining('refs/tags/v1') });
  expect(translate(HEAD, push({ ref: 'refs/notes/commits' }))).toEqual({ kind: 'nothing', reason: expect.stringContaining('neither') });
});

test('a SHA-256 repository', () => {
  expect(only(translate(HEAD, push({ before: '0'.repeat(64), after: 'c'.repeat(64) })))).toMatchObject({ data: { after: 'c'.repeat(64) } });
});

test('a push is known by what was pushed: the other webhook’s and the redelivered one are the same event', () => {
  const one = only(translate(HEAD, push()));
  const other = only(translate({ ...HEAD, received: '2027-01-01T00:00:00.000Z' }, changed({ hook: { id: 5 } })));
  const form = Buffer.from(new URLSearchParams({ payload: push().toString() }).toString());
  const asForm = only(translate({ ...HEAD, contentType: 'form' }, form));
  for (const told of [other, asForm])
    expect({ id: told.id, source: told.source, chainid: told.chainid, time: told.time }).toEqual({
      id: one.id,
      source: one.source,
      chainid: one.chainid,
      time: one.time,
    });
});

test('and it stays the same push when the repository was renamed in between', () => {
  const renamed = changed({ 'repository.clone_url': 'https://github.com/example/renamed.git' });
  const [one, other] = [only(translate(HEAD, push())), only(translate(HEAD, renamed))];
  expect([other.id, other.source]).toEqual([one.id, one.source]);
});

test('another push is another event: any of repository, ref, before, after and time makes it so', () => {
  const bodies = [
    push(),
    push({ repositoryId: 2 }),
    push({ ref: 'refs/heads/other' }),
    push({ before: 'd'.repeat(40) }),
    push({ after: 'd'.repeat(40) }),
    push({ pushedAt: 1_790_000_001 }),
    changed({ 'repository.clone_url': 'https://ghe.example/example/site.git' }),
  ];
  const keys = bodies.map((body) => only(translate(HEAD, body))).map(({ source, id }) => `${source} ${id}`);
  expect(new Set(keys).size).toBe(bodies.length);
});

test('a server that does not say when it was pushed: the same bytes are the same push, others are another', () => {
  const body = changed({ 'repository.pushed_at': undefined });
  const [one, again, other] = [
    only(translate(HEAD, body)),
    only(translate({ ...HEAD, received: '2027-01-01T00:00:00.000Z' }, body)),
    only(translate(HEAD, changed({ commits: [{}] }, body))),
  ];
  expect(again.id).toBe(one.id);
  expect(other.id).not.toBe(one.id);
  expect(one.data).not.toHaveProperty('pushedAt');
  expect(one.time).toBe(HEAD.received);
});

test('a local repository, told of by its path', () => {
  expect(only(translate(HEAD, push({ repository: '/srv/git/site.git' })))).toMatchObject({
    source: 'https://localhost/repositories/1234',
    data: { repository: '/srv/git/site.git' },
  });
});

test('chains have the form of a UUIDv4, one for each event', () => {
  const chainid = (pushedAt: number) => only(translate(HEAD, push({ pushedAt }))).chainid;
  fc.assert(
    fc.property(fc.nat(), (pushedAt) => {
      expect(chainid(pushedAt)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(chainid(pushedAt + 1)).not.toBe(chainid(pushedAt));
    }),
  );
});

const pullRequest = () => {
  const { examples: payloads } = (examples as unknown as { name: string; examples: object[] }[]).find(({ name }) => name === 'pull_request')!;
  return Buffer.from(JSON.stringify(payloads[0]));
};
const PULL: WebhookHead = { ...HEAD, event: 'pull_request' };

test('a pull request, of the repository itself, of a fork, and of a fork that is gone', () => {
  const own = only(translate(PULL, pullRequest()));
  expect(own).toMatchObject({
    type: 'dev.tidemill.pull-request.changed.v1',
    subject: 'pull/2',
    data: { number: 2, action: 'opened', headRef: 'changes', baseRef: 'master', fork: false, by: 'Codertocat' },
  });
  expect(parseEvent(own)).toEqual(own);
  expect(only(translate(PULL, changed({ 'pull_request.head.repo.id': 99 }, pullRequest())))).toMatchObject({ data: { fork: true } });
  expect(only(translate(PULL, changed({ 'pull_request.head.repo': null }, pullRequest())))).toMatchObject({ data: { fork: true } });
});

test('the same change of a pull request told twice is one event, the next change another', () => {
  const id = (body: Buffer) => only(translate(PULL, body)).id;
  expect(id(changed({ hook: {} }, pullRequest()))).toBe(id(pullRequest()));
  expect(id(changed({ action: 'closed' }, pullRequest()))).not.toBe(id(pullRequest()));
  expect(id(changed({ 'pull_request.updated_at': '2019-05-15T15:20:34Z' }, pullRequest()))).not.toBe(id(pullRequest()));
});

test('every example of push and pull_request is understood, and what comes of it is a valid event', () => {
  for (const { name, examples: payloads } of examples as unknown as { name: string; examples: object[] }[]) {
    if (name !== 'push' && name !== 'pull_request') continue;
    for (const payload of payloads) {
      const translation = translate({ ...HEAD, event: name }, Buffer.from(JSON.stringify(payload)));
      expect(translation.kind).not.toBe('invalid');
      if (translation.kind === 'events') translation.events.forEach(parseEvent);
    }
  }
});

const deep = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);
const withText = (from: string, to: string) => Buffer.from(push().toString().replace(from, to));

const HOSTILE: Record<string, [Buffer, RegExp]> = {
  'an empty body': [Buffer.alloc(0), /not JSON/],
  'no JSON': [Buffer.from('hello'), /not JSON/],
  null: [Buffer.from('null'), /expected object/],
  'a list': [Buffer.from('[]'), /expected object/],
  'an object with nothing': [Buffer.from('{}'), /ref: /],
  'trailing garbage': [Buffer.concat([push(), Buffer.from('x')]), /not JSON/],
  'two documents': [Buffer.concat([push(), push()]), /not JSON/],
  'cut in the middle': [push().subarray(0, 200), /not JSON/],
  'a byte order mark': [Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), push()]), /not JSON/],
  'bytes that are not UTF-8': [Buffer.concat([push().subarray(0, -1), Buffer.from([0x2c, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])]), /not UTF-8/],
  'UTF-16': [Buffer.from(push().toString(), 'utf16le'), /not JSON/],
  'lists nested 100,000 deep': [Buffer.from(deep(100_000, '[', ']')), /nests deeper/],
  'objects nested 100,000 deep': [Buffer.from(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`), /nests deeper/],
  'a ref twice': [withText('"ref":', '"ref":"refs/heads/evil","ref":'), /"ref" twice/],
  'a ref twice, once escaped': [withText('"ref":', '"\\u0072ef":"refs/heads/evil","ref":'), /"ref" twice/],
  'a repository twice': [withText('"repository":', '"repository":{"id":1},"repository":'), /"repository" twice/],
  'an id twice, deeper down': [withText('"id":1234', '"id":1,"id":1234'), /"id" twice/],
  '__proto__ in place of what is wanted': [Buffer.from('{"__proto__":{"ref":"refs/heads/main"}}'), /ref: /],
  'constructor as a key': [Buffer.from('{"constructor":{"prototype":{"ref":"x"}}}'), /ref: /],
  'a repository id that is text': [withText('"id":1234', '"id":"1234"'), /repository\.id/],
  'a repository id that is no whole number': [withText('"id":1234', '"id":1.5'), /repository\.id/],
  'a repository id past what is exact': [withText('"id":1234', '"id":12345678901234567890'), /repository\.id/],
  'a repository id that is infinite': [withText('"id":1234', '"id":1e999'), /repository\.id/],
  'a negative repository id': [withText('"id":1234', '"id":-1'), /repository\.id/],
  'a time past all years': [withText('"pushed_at":1790000000', '"pushed_at":1e18'), /pushed_at/],
  'a time that is no time': [withText('"pushed_at":1790000000', '"pushed_at":"yesterday"'), /pushed_at/],
  'no commit before and after': [push({ before: ZERO, after: ZERO }), /no commit to no commit/],
  'deleted, with a commit after': [changed({ deleted: true }), /deleted/],
  'not deleted, with none after': [changed({ deleted: false }, push({ after: ZERO })), /deleted/],
  'a short SHA': [push({ after: 'abc1234' }), /after/],
  'an upper-case SHA': [push({ after: 'A'.repeat(40) }), /after/],
  'a SHA with a newline': [push({ after: `${'a'.repeat(40)}\n` }), /after/],
  'a ref with ..': [push({ ref: 'refs/heads/../../etc' }), /ref: /],
  'a ref that begins with -': [push({ ref: '--upload-pack=x' }), /ref: /],
  'a ref with a newline': [push({ ref: 'refs/heads/a\nb' }), /ref: /],
  'a ref with a NUL': [push({ ref: 'refs/heads/a\0b' }), /ref: /],
  'a ref of a megabyte': [push({ ref: `refs/heads/${'a'.repeat(1_000_000)}` }), /ref: /],
  'a ref that is a number': [changed({ ref: 5 }), /ref: /],
  'a clone URL with a password': [push({ repository: 'https://me:secret@github.com/a/b.git' }), /clone_url/],
  'a clone URL that runs a command': [push({ repository: 'ext::sh -c touch% /tmp/x' }), /clone_url/],
  'a clone URL that begins with -': [push({ repository: '--upload-pack=touch /tmp/x' }), /clone_url/],
  'a clone URL with javascript:': [push({ repository: 'javascript:alert(1)' }), /clone_url/],
};

for (const [name, [body, reason]] of Object.entries(HOSTILE))
  test(`hostile, ${name}: a reason, not a crash`, () => {
    const said = reasonOf(body);
    expect(said).toMatch(reason);
    expect(said.length).toBeLessThan(4096);
    expect(said).not.toContain('secret@');
  });

test('nothing of an object’s prototype is changed by what comes in', () => {
  translate(HEAD, changed({ x: 1 }, Buffer.from(push().toString().replace('{', '{"__proto__":{"polluted":true},'))));
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

const FORMS: Record<string, string> = {
  'no payload': 'other=1',
  'the payload twice': 'payload=%7B%7D&payload=%7B%7D',
  'something beside it': 'payload=%7B%7D&a=1&b=2',
  'half an escape': 'payload=%7',
  'an escape of no UTF-8': 'payload=%ff%fe',
  'JSON that is not escaped as a form at all': '{"payload":1}',
};

for (const [name, form] of Object.entries(FORMS))
  test(`a form with ${name}: a reason, not a crash`, () => expect(reasonOf(Buffer.from(form), { contentType: 'form' })).toMatch(/form/));

test('whatever bytes come, there is an answer', () => {
  const head = fc.record({
    event: fc.constantFrom('push', 'pull_request', 'ping'),
    contentType: fc.constantFrom('json' as const, 'form' as const),
    received: fc.constant(HEAD.received),
  });
  const shaped = fc.json().map((text) => Buffer.from(text));
  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(head, fc.oneof(shaped, noise), (given, body) => ['nothing', 'invalid'].includes(translate(given, body).kind)),
    { numRuns: 500 },
  );
});

test('one value of a good payload changed to anything: an event that is valid, or a reason', () => {
  const paths = [
    'ref',
    'before',
    'after',
    'deleted',
    'forced',
    'repository',
    'repository.id',
    'repository.clone_url',
    'repository.pushed_at',
    'sender',
    'sender.login',
    'pusher',
    'head_commit',
    'head_commit.timestamp',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.oneof(fc.anything(), fc.string(), fc.webUrl()), (path, value) => {
      const body = changed({ [path]: value });
      const translation = translate(HEAD, body);
      if (translation.kind === 'events') translation.events.forEach(parseEvent);
      else expect(translation.reason.length).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});
