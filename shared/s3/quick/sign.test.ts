import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { createSigner } from './sign.ts';

// The example "PUT Object" of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
it('signs as the example of AWS has it', () => {
  const sign = createSigner({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }, 'us-east-1');
  const headers = { host: 'examplebucket.s3.amazonaws.com', date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' };
  const request = { method: 'PUT', path: '/test%24file.text', headers, content: hash('sha256', 'Welcome to Amazon S3.', 'hex') };
  expect(sign(request, new Date('2013-05-24T00:00:00.000Z'))).toEqual({
    ...headers,
    'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    'x-amz-date': '20130524T000000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
      'SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, ' +
      'Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  });
});

it('has the token of temporary credentials among what is signed, and another key for another day', () => {
  const sign = createSigner({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'of a while' }, 'eu-west-1');
  const request = { method: 'PUT', path: '/b/k', headers: { host: 'h' }, content: hash('sha256', '', 'hex') };
  const [first, second] = ['2026-01-01', '2026-01-02'].map((day) => sign(request, new Date(`${day}T23:59:59.999Z`)));
  expect(first).toMatchObject({ 'x-amz-security-token': 'of a while', authorization: expect.stringContaining('x-amz-date;x-amz-security-token') });
  expect(second!['authorization']).toContain('Credential=a/20260102/eu-west-1/s3/aws4_request');
});
