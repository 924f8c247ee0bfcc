import { isIP } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { whyNotAddress } from './addresses.ts';

afterEach(() => {
  delete process.env['TIDEMILL_HOOKS_ALLOW'];
});
const allow = (ranges: string) => {
  process.env['TIDEMILL_HOOKS_ALLOW'] = ranges;
};

describe('whyNotAddress refuses', () => {
  it.each([
    ['this machine', '127.0.0.1'],
    ['all of 127/8', '127.255.255.254'],
    ['this machine, in IPv6', '::1'],
    ['the unspecified address', '0.0.0.0'],
    ['"this network"', '0.1.2.3'],
    ['the unspecified address, in IPv6', '::'],
    ['RFC 1918: 10/8', '10.0.0.1'],
    ['RFC 1918: 172.16/12', '172.31.255.255'],
    ['RFC 1918: 192.168/16', '192.168.1.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['a cloud’s metadata service', '169.254.169.254'],
    ['metadata inside Alibaba', '100.100.100.200'],
    ['metadata inside Oracle', '192.0.0.192'],
    ['metadata inside Azure, on a public address', '168.63.129.16'],
    ['metadata inside AWS, in IPv6', 'fd00:ec2::254'],
    ['benchmarking: 198.18/15', '198.19.255.255'],
    ['documentation', '192.0.2.1'],
    ['documentation', '203.0.113.7'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['6to4 relays', '192.88.99.1'],
    ['IPv4-mapped', '::ffff:127.0.0.1'],
    ['IPv4-mapped, in hexadecimal', '::ffff:7f00:1'],
    ['IPv4-mapped, upper case', '::FFFF:A9FE:A9FE'],
    ['IPv4-mapped, private', '::ffff:10.0.0.1'],
    ['IPv4-translated', '::ffff:0:127.0.0.1'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['IPv4-compatible, in hexadecimal', '::7f00:1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['NAT64 of a public address', '64:ff9b::808:808'],
    ['local NAT64', '64:ff9b:1::1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    ['ULA', 'fc00::1'],
    ['ULA', 'fdff:ffff::1'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast, in IPv6', 'ff02::1'],
    ['documentation, in IPv6', '2001:db8::1'],
    ['documentation, in IPv6', '3fff::1'],
    ['discard-only', '100::1'],
  ])('%s: %s', (_, address) => {
    expect(whyNotAddress(address)).toMatch(/is a private, local or reserved address; .* TIDEMILL_HOOKS_ALLOW|is no address that a hook may have/);
  });

  it.each(['', 'localhost', '127.1', '0x7f000001', '2130706433', '1.2.3.4.5', '::ffff:300.0.0.1'])('what is no address: %j, without a throw', (text) => {
    expect(whyNotAddress(text)).toContain('is no address that a hook may have');
  });
});

describe('whyNotAddress takes', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '172.32.0.1',
    '172.15.255.255',
    '100.63.255.255',
    '100.128.0.1',
    '198.17.255.255',
    '198.20.0.1',
    '192.169.0.1',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450:4001::200e',
    '::ffff:8.8.8.8',
    '::ffff:808:808',
  ])('the public address %s', (address) => {
    expect(whyNotAddress(address)).toBeUndefined();
  });
});

describe('TIDEMILL_HOOKS_ALLOW', () => {
  it('is read when it is used, and allows what it names and nothing else', () => {
    expect(whyNotAddress('127.0.0.1')).toBeDefined();
    allow('127.0.0.1, 10.1.0.0/16,fd00:1::/32');
    for (const address of ['127.0.0.1', '10.1.2.3', 'fd00:1::5', '::ffff:127.0.0.1']) expect(whyNotAddress(address), address).toBeUndefined();
    for (const address of ['127.0.0.2', '10.2.0.1', 'fd00:2::5', '169.254.169.254']) expect(whyNotAddress(address), address).toBeDefined();
    allow('');
    expect(whyNotAddress('127.0.0.1')).toBeDefined();
  });

  it.each(['localhost', '10.0.0.0/33', '10.0.0.0/x', '/8', '10.0.0.0/-1', 'fd00::/129'])(
    'with the wrong entry %j allows nothing by it, and says so',
    (wrong) => {
      allow(`${wrong},10.1.0.0/16`);
      expect(whyNotAddress('10.0.0.1')).toContain(`has "${wrong}"`);
      expect(whyNotAddress('10.1.0.1')).toBeUndefined();
    },
  );

  it('empty, or of nothing but commas, allows nothing', () => {
    allow(' , ,');
    expect(whyNotAddress('127.0.0.1')).toBeDefined();
  });
});

describe('hosts as URLs spell them', () => {
  it.each([
    ['short', 'http://127.1/', '127.0.0.1'],
    ['decimal', 'http://2130706433/', '127.0.0.1'],
    ['hexadecimal', 'http://0x7f000001/', '127.0.0.1'],
    ['hexadecimal in parts', 'http://0x7f.0.0.0x1/', '127.0.0.1'],
    ['octal', 'http://0177.0.0.1/', '127.0.0.1'],
    ['one number', 'http://0/', '0.0.0.0'],
    ['two numbers', 'http://169.16689662/', '169.254.169.254'],
    ['full-width digits', 'http://１２７.０.０.１/', '127.0.0.1'],
    ['circled digits', 'http://①②⑦.0.0.1/', '127.0.0.1'],
    ['with a final dot', 'http://127.0.0.1./', '127.0.0.1'],
    ['percent-encoded', 'http://%31%32%37.0.0.1/', '127.0.0.1'],
    ['IPv6 at length', 'http://[0:0:0:0:0:ffff:7f00:0001]/', '::ffff:7f00:1'],
    ['IPv6 with IPv4 in it', 'http://[::ffff:169.254.169.254]/', '::ffff:a9fe:a9fe'],
  ])('%s: %s is %s, and refused', (_, url, address) => {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
    expect(host).toBe(address);
    expect(isIP(host)).not.toBe(0);
    expect(whyNotAddress(host)).toBeDefined();
  });
});
