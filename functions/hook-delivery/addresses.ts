// Which addresses a hook may have: none that belongs to this machine, its network or a cloud's metadata service.
import { BlockList, isIP, isIPv6 } from 'node:net';

/** IANA special-purpose registries: https://www.iana.org/assignments/iana-ipv4-special-registry and …-ipv6-special-registry */
const FORBIDDEN = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Inside Azure a public address answers with the machine's secrets.
  '168.63.129.16/32',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '100:0:0:1::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

const forbidden = listOf(FORBIDDEN);

/** Ranges that the administrator allows all the same, such as 10.1.0.0/16 or 127.0.0.1, with commas between. Read at each use. */
const allowedText = () => process.env['TIDEMILL_HOOKS_ALLOW'] ?? '';
let allowed = { text: '', list: new BlockList(), wrong: [] as string[] };

/** Undefined: a hook may be there. Else the sentence that says why not, and what to do. */
export function whyNotAddress(address: string): string | undefined {
  const plain = unmapped(address);
  // An address with a zone ("%eth0") is of this network.
  if (!isIP(plain) || plain.includes('%')) return `"${address}" is no address that a hook may have`;
  const family = isIPv6(plain) ? 'ipv6' : 'ipv4';
  const { list, wrong } = parseAllowed(allowedText());
  if (!forbidden.check(plain, family) || list.check(plain, family)) return undefined;
  const hint = wrong.length > 0 ? ` (which has ${wrong.map((entry) => `"${entry}"`).join(', ')}: no address and no range)` : '';
  return `${address} is a private, local or reserved address; if hooks may reach it, allow its range with TIDEMILL_HOOKS_ALLOW${hint}`;
}

/** ::ffff:127.0.0.1 and ::ffff:7f00:1 are 127.0.0.1; so is ::ffff:0:127.0.0.1. */
function unmapped(address: string): string {
  const dotted = /^::ffff:(?:0:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (dotted?.[1]) return dotted[1];
  const hex = /^::ffff:(?:0:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address);
  if (!hex) return address;
  const [high, low] = [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function parseAllowed(text: string): typeof allowed {
  if (text === allowed.text) return allowed;
  const entries = text.split(',').flatMap((entry) => entry.trim() || []);
  const isRange = (entry: string) => {
    const [address = '', bits] = entry.split('/');
    const most = isIP(address) === 6 ? 128 : 32;
    return isIP(address) !== 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
  };
  allowed = { text, list: listOf(entries.filter(isRange)), wrong: entries.filter((entry) => !isRange(entry)) };
  return allowed;
}

function listOf(ranges: string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split('/') as [string, string | undefined];
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  return list;
}
