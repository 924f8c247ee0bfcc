// Hooks, credentials and dead letters.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTestApi, type TestApi } from '../../../test/support/api.ts';
import type { CreatedHook, HookView } from './hooks.ts';

let api: TestApi;
beforeEach(() => {
  api = openTestApi(['release-requested']);
});
afterEach(() => api.close());

describe('hooks', () => {
  test('the signing secret is made as Standard Webhooks has it, shown once, and gone with the hook', async () => {
    const created = await api.json<CreatedHook>(201, 'POST', '/hooks', { url: 'https://example.org/in', types: ['dev.tidemill.release.*'] });
    expect(created.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(Buffer.from(created.secret.slice(6), 'base64')).toHaveLength(32);
    const stored = await api.store.objects.get('Hook', { namespace: 'default', name: created.name });
    expect(await api.secrets.get(stored!.spec.secret)).toBe(created.secret);
    for (const path of ['/hooks', `/hooks/${created.name}`]) {
      const text = await (await api.call('GET', path)).text();
      expect(text).toContain('https://example.org/in');
      expect(text).not.toContain('whsec_');
      expect(text).not.toContain(stored!.spec.secret);
    }
    await api.json(204, 'DELETE', `/hooks/${created.name}`);
    await expect(api.secrets.get(stored!.spec.secret)).rejects.toThrow('no secret');
  });

  test('a name that is taken leaves the other hook and its secret alone', async () => {
    const first = await api.json<CreatedHook>(201, 'POST', '/hooks', { name: 'chat', url: 'https://example.org/a' });
    await api.json(409, 'POST', '/hooks', { name: 'chat', url: 'https://example.org/b' });
    const stored = await api.store.objects.get('Hook', { namespace: 'default', name: 'chat' });
    expect(stored?.spec.url).toBe('https://example.org/a');
    expect(await api.secrets.get(stored!.spec.secret)).toBe(first.secret);
  });

  test('are changed, tested, and refused what they cannot be', async () => {
    await api.json(201, 'POST', '/hooks', { name: 'chat', url: 'https://example.org/a' });
    expect(await api.json<HookView>(200, 'PATCH', '/hooks/chat', { url: 'https://example.org/b' })).toMatchObject({ url: 'https://example.org/b' });
    const test = await api.json<{ event: string }>(202, 'POST', '/hooks/chat/test');
    expect(api.published.at(-1)).toMatchObject({
      id: test.event,
      type: 'dev.tidemill.hook.requested.v1',
      data: { hook: 'chat', event: { type: 'dev.tidemill.hook.test.v1' } },
    });
    await api.json(200, 'PATCH', '/hooks/chat', { paused: true });
    await api.json(409, 'POST', '/hooks/chat/test');
    await api.json(422, 'PATCH', '/hooks/chat', { secret: 'credential.x' });
    await api.json(422, 'POST', '/hooks', { url: 'file:///etc/passwd' });
    await api.json(422, 'POST', '/hooks', { url: 'https://example.org', secret: 'mine' });
    await api.json(404, 'POST', '/hooks', { url: 'https://example.org', project: 'none' });
  });
});

describe('credentials', () => {
  test('are never given back', async () => {
    const wanted = { name: 'github', type: 'basic', host: 'github.com', username: 'me', value: 'tok-secret' };
    const made = await (await api.call('POST', '/credentials', wanted)).text();
    const listed = await (await api.call('GET', '/credentials')).text();
    for (const text of [made, listed]) {
      expect(text).toContain('github.com');
      expect(text).not.toContain('tok-secret');
    }
    const stored = await api.store.objects.get('Credential', { namespace: 'default', name: 'github' });
    expect(await api.secrets.get(stored!.spec.secret)).toBe('tok-secret');
    await api.json(409, 'POST', '/credentials', { ...wanted, value: 'other' });
    expect(await api.secrets.get(stored!.spec.secret)).toBe('tok-secret');
    await api.json(204, 'DELETE', '/credentials/github');
    await expect(api.secrets.get(stored!.spec.secret)).rejects.toThrow('no secret');
  });
});

describe('dead letters', () => {
  test('are listed with their reason, and redriven', async () => {
    const event = { namespace: 'default', project: 'gone', environment: 'production', action: 'deploy', trigger: 'user', version: '1' };
    await api.store.broker.publish([
      {
        specversion: '1.0',
        id: 'x1',
        source: '/test',
        type: 'dev.tidemill.release.requested.v1',
        time: '2026-01-01T00:00:00Z',
        datacontenttype: 'application/json',
        chainid: 'c',
        data: event as never,
      },
    ]);
    type Letters = { items: { id: string; reason: string; subscription: string }[] };
    let letters: Letters = { items: [] };
    for (let i = 0; i < 100 && letters.items.length === 0; i++) {
      letters = await api.json<Letters>(200, 'GET', '/deadletters');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(letters.items).toMatchObject([{ subscription: 'release-requested', reason: expect.stringContaining('no project gone') as string }]);
    await api.json(202, 'POST', `/deadletters/${letters.items[0]!.id}/redrive`);
    await api.json(409, 'POST', '/deadletters/none/redrive');
  });
});
