import test from 'ava';
import { RefusedError } from '../control/refused.js';
import { parsePacket, type PacketSpec } from './packet-spec.js';

const NONE = { address: null, port: null };
const at = (address: string | null, port: number | null = null) => ({ address, port });

const PACKETS: Readonly<Record<string, PacketSpec>> = {
  'tcp 10.0.0.5:1234 > 8.8.8.8:22 syn': {
    kind: 'ports',
    protocol: 6,
    source: at('10.0.0.5', 1234),
    destination: at('8.8.8.8', 22),
    flags: 0x02,
  },
  'TCP 10.0.0.5->8.8.8.8 syn+ack': {
    kind: 'ports',
    protocol: 6,
    source: at('10.0.0.5'),
    destination: at('8.8.8.8'),
    flags: 0x12,
  },
  'tcp 8.8.8.8 fin ack': { kind: 'ports', protocol: 6, source: NONE, destination: at('8.8.8.8'), flags: 0x11 },
  'udp :68 to 10.0.0.1:67': {
    kind: 'ports',
    protocol: 17,
    source: at(null, 68),
    destination: at('10.0.0.1', 67),
    flags: 2,
  },
  'sctp [fd00::1]:7 > [fd00::2]:8': {
    kind: 'ports',
    protocol: 132,
    source: at('fd00::1', 7),
    destination: at('fd00::2', 8),
    flags: 2,
  },
  'icmp 10.0.0.5 > 10.0.0.6': { kind: 'echo', reply: false, source: at('10.0.0.5'), destination: at('10.0.0.6') },
  'icmp to fd00::6 reply': { kind: 'echo', reply: true, source: NONE, destination: at('fd00::6') },
  'proto 112 224.0.0.18': { kind: 'ip', protocol: 112, source: NONE, destination: at('224.0.0.18') },
  'arp who-has 10.0.0.1': { kind: 'who-has', address: '10.0.0.1', asker: null },
  'nd who-has fd00::1 tell fd00::2': { kind: 'who-has', address: 'fd00::1', asker: 'fd00::2' },
  'arp announce': { kind: 'announce', address: null },
  'arp announce 10.0.0.9': { kind: 'announce', address: '10.0.0.9' },
  'dhcp discover': { kind: 'dhcp', type: 1 },
  'dhcp request': { kind: 'dhcp', type: 3 },
};

for (const [text, packet] of Object.entries(PACKETS)) {
  test(`'${text}' is understood`, (t) => {
    t.deepEqual(parsePacket(text), packet);
  });
}

const WRONG: Readonly<Record<string, string>> = {
  '': 'the packet is missing',
  'igmp 1.2.3.4': `'igmp' is no kind of packet`,
  tcp: 'where the packet goes is missing',
  'tcp 1.2.3.4 >': 'where the packet goes is missing',
  'tcp 1.2.3.4 > :22': 'the address the packet goes to is missing',
  'tcp 1.2.3.4 5.6.7.8': `'5.6.7.8' is not understood`,
  'tcp 1.2.3.4 x > 5.6.7.8': `'1.2.3.4 x' is no end of a session`,
  'tcp 1.2.3.400': `'1.2.3.400' is no address`,
  'tcp 1.2.3.4:70000': '70000 is no port',
  'tcp [1.2.3.4]:7': `'[1.2.3.4]:7' is no address`,
  'tcp fd00::1 > 1.2.3.4': 'fd00::1 and 1.2.3.4 are of different families',
  'udp 1.2.3.4 syn': `'syn' is not understood`,
  'icmp 1.2.3.4:8': 'a packet of this protocol has no ports',
  'icmp 1.2.3.4 redirect': `'redirect' is not understood`,
  'proto 256 1.2.3.4': `'256' is no IP protocol number`,
  'arp who-is 1.2.3.4': `'who-is 1.2.3.4' is neither who-has nor announce`,
  'arp who-has': `'' is no address`,
  'arp who-has 1.2.3.4 from 1.2.3.5': `'1.2.3.4 from 1.2.3.5' is no address`,
  'arp who-has 1.2.3.4 tell': `'1.2.3.4 tell' is no address`,
  'arp who-has 1.2.3.4 tell 1.2.3.5 tell 1.2.3.6': `'1.2.3.4 tell 1.2.3.5 tell 1.2.3.6' is not understood`,
  'dhcp offer': `'offer' is no DHCP message of a client`,
};

for (const [text, problem] of Object.entries(WRONG)) {
  test(`'${text}' is refused: ${problem}`, (t) => {
    const error = t.throws(() => parsePacket(text), { instanceOf: RefusedError });
    t.is(error.message, `${problem}; vrouter trace --help shows how to write a packet`);
  });
}
