import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { createSigner } from './sign.ts';

it('signs every header that it is given, for this moment', async () => {
  const sign = createSigner({ accessKeyId: 'id', secretAccessKey: 'hidden' }, 'us-east-1');
  const headers = { host: 'store:9000', 'x-amz-meta-m': 'v', 'if-none-match': '*' };
  const content = hash('sha256', 'all', 'hex');
  const signed = await sign({ method: 'PUT', path: '/bucket/a%20b', headers, content }, new Date('2026-05-24T01:02:03.456Z'));
  expect(signed).toMatchObject({ ...headers, 'x-amz-content-sha256': content, 'x-amz-date': '20260524T010203Z' });
  expect(signed['authorization']).toMatch(
    /^AWS4-HMAC-SHA256 Credential=id\/20260524\/us-east-1\/s3\/aws4_request, SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-meta-m, Signature=[0-9a-f]{64}$/,
  );
  expect(JSON.stringify(signed)).not.toContain('hidden');
});

it('has the token of temporary credentials among what is signed, and another key for another day', async () => {
  const sign = createSigner({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'of a while' }, 'eu-west-1');
  const request = { method: 'PUT', path: '/b/k', headers: { host: 'h' }, content: hash('sha256', '', 'hex') };
  const [first, second] = await Promise.all(['2026-01-01', '2026-01-02'].map((day) => sign(request, new Date(`${day}T23:59:59.999Z`))));
  expect(first).toMatchObject({ 'x-amz-security-token': 'of a while', authorization: expect.stringContaining('x-amz-date;x-amz-security-token') });
  expect(second!['authorization']).toContain('Credential=a/20260102/eu-west-1/s3/aws4_request');
});
