import test from 'ava';
import fc from 'fast-check';
import { eth } from '../testing/packet-builder.js';
import { parseExpression } from './filter-expression.js';
import { FrameFields } from './frame-fields.js';

const MACS = { src: '02:00:00:00:00:01', dst: '02:00:00:00:00:02' };
const V4 = { src: '10.1.2.3', dst: '10.1.9.9' };
const V6 = { src: '2001:db8::1', dst: '2001:db8:1::9' };

const FRAMES = {
  tcp: eth(MACS).ipv4(V4).tcp(40000, 80).bytes(),
  udp: eth(MACS).vlan(7).ipv4(V4).udp(53, 5353).bytes(),
  tcp6: eth(MACS).ipv6(V6).extension(60).tcp(22, 40001).bytes(),
  ping6: eth(MACS).ipv6(V6).ping6({ ident: 1, seq: 1 }).bytes(),
  piece: eth(MACS)
    .ipv4({ ...V4, fragmentOffset: 1480, protocol: 17 })
    .payload([0, 53, 0, 53])
    .bytes(),
  arp: eth({ ...MACS, dst: 'ff:ff:ff:ff:ff:ff' })
    .arp({ op: 1, senderMac: MACS.src, senderIp: '10.1.2.3', targetIp: '10.1.2.4' })
    .bytes(),
} as const;
type Name = keyof typeof FRAMES;
const NAMES = Object.keys(FRAMES) as Name[];

/** Names of the frames an expression chooses. */
function chosen(expression: string): readonly Name[] {
  const test = parseExpression(expression);
  const fields = new FrameFields();
  return NAMES.filter((name) => {
    // Amid other bytes.
    const b = new Uint8Array(FRAMES[name].length + 9).fill(0x35);
    b.set(FRAMES[name], 5);
    fields.read(b, 5, 5 + FRAMES[name].length);
    return test(fields);
  });
}

const PRIMITIVES: Readonly<Record<string, readonly Name[]>> = {
  tcp: ['tcp', 'tcp6'],
  udp: ['udp', 'piece'],
  icmp6: ['ping6'],
  arp: ['arp'],
  ip: ['tcp', 'udp', 'piece'],
  ip6: ['tcp6', 'ping6'],
  vlan: ['udp'],
  'vlan 7': ['udp'],
  'vlan 8': [],
  'proto 58': ['ping6'],
  'host 10.1.2.3': ['tcp', 'udp', 'piece', 'arp'],
  'dst host 10.1.2.3': [],
  'dst host 10.1.2.4': ['arp'],
  'net 10.1.8.0/22': ['tcp', 'udp', 'piece'],
  'src net 10.1.2.0/31': [],
  'net 2001:db8:1::/48': ['tcp6', 'ping6'],
  'net 0.0.0.0/0': ['tcp', 'udp', 'piece', 'arp'],
  'port 53': ['udp'],
  'src port 22': ['tcp6'],
  'dst port 22': [],
  'tcp port 80': ['tcp'],
  'tcp src port 22': ['tcp6'],
  'udp port 80': [],
  'portrange 40000-40001': ['tcp', 'tcp6'],
  'ether host 02:00:00:00:00:02': ['tcp', 'udp', 'tcp6', 'ping6', 'piece'],
  'ether src 02:00:00:00:00:02': [],
  'less 50': ['piece', 'udp', 'arp'].filter((name) => FRAMES[name as Name].length <= 50) as Name[],
  'greater 50': NAMES.filter((name) => FRAMES[name].length >= 50),
};

test('each word chooses its frames', (t) => {
  for (const [expression, names] of Object.entries(PRIMITIVES)) {
    t.deepEqual([...chosen(expression)].sort(), [...names].sort(), expression);
  }
});

/** An expression, and what it chooses. */
interface Known {
  readonly text: string;
  readonly names: ReadonlySet<Name>;
}
const { tree } = fc.letrec<{ tree: Known; leaf: Known }>((tie) => ({
  leaf: fc.constantFrom(...Object.entries(PRIMITIVES)).map(([text, names]) => ({ text, names: new Set(names) })),
  tree: fc.oneof(
    { maxDepth: 4 },
    tie('leaf'),
    fc.tuple(fc.constantFrom('not ', '! ', '!'), tie('tree')).map(([word, { text, names }]) => ({
      text: `${word}(${text})`,
      names: new Set(NAMES.filter((name) => !names.has(name))),
    })),
    fc.tuple(fc.constantFrom('and', '&&', 'or', '||'), tie('tree'), tie('tree')).map(([word, a, b]) => ({
      text: `(${a.text}) ${word} (${b.text})`,
      names: new Set(
        NAMES.filter((name) =>
          word === 'and' || word === '&&'
            ? a.names.has(name) && b.names.has(name)
            : a.names.has(name) || b.names.has(name),
        ),
      ),
    })),
  ),
}));

test('expressions of expressions choose what sets of frames say', (t) => {
  fc.assert(
    fc.property(tree, ({ text, names }) => {
      t.deepEqual([...chosen(text)].sort(), [...names].sort(), text);
    }),
    { numRuns: 300 },
  );
});

test('and binds stronger than or, and not strongest', (t) => {
  t.deepEqual([...chosen('arp or tcp and port 80')].sort(), ['arp', 'tcp']);
  t.deepEqual([...chosen('not tcp and ip')].sort(), ['piece', 'udp']);
});

test('what is no expression is refused with what is wrong', (t) => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['tcp and', /missing/],
    ['(tcp', /\) is missing/],
    ['tcp)', /what is "\)"/],
    ['port 65536', /65535/],
    ['host a', /not an IPv4/],
    ['net 10.0.0.0/33', /no prefix/],
    ['net 10.0.0.0/', /no prefix/],
    ['portrange 9-1', /FIRST-LAST/],
    ['frobnicate 7', /no "frobnicate"/],
    ['constructor', /no "constructor"/],
    ['!'.repeat(100) + 'tcp', /parentheses/],
  ];
  for (const [expression, message] of wrong) t.throws(() => parseExpression(expression), { message }, expression);
});
