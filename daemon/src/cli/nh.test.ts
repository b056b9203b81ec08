import test from 'ava';

import { encapNexthop, tunnelNexthop } from '../testing/dumps.js';
import { surroundings } from '../testing/surroundings.js';
import { Exit } from './exit.js';
import { format, nh, parseArgs } from './nh.js';

const lines = (...text: string[]): string => `${text.join('\n')}\n\n`;

test('an encap nexthop is printed to the column, trailing spaces included', (t) => {
  t.is(
    format([encapNexthop()]),
    lines(
      'Id:81         Type:Encap          Fmly: AF_INET  Rid:0  Ref_cnt:5          Vrf:7',
      '              Flags:Valid, Policy, Etree Root, ',
      '              EncapFmly:0806 Oif:8 Len:14',
      '              Encap Data: 02 aa f0 88 f0 65 00 00 5e 00 01 00 08 00 ',
    ),
  );
});

test('a bridge family fills its column', (t) => {
  t.is(
    format([encapNexthop({ id: 85, family: 'AF_BRIDGE', refCount: 4 })]).split('\n')[0],
    'Id:85         Type:Encap          Fmly:AF_BRIDGE  Rid:0  Ref_cnt:4          Vrf:7',
  );
});

test('an encap nexthop without a header has length 0', (t) => {
  t.is(
    format([encapNexthop({ encap: { family: 0x0806, oif: 3, data: '' } })])
      .split('\n')
      .slice(2)
      .join('\n'),
    '              EncapFmly:0806 Oif:3 Len:0\n              Encap Data: \n\n',
  );
});

const plain = { rid: 0, refCount: 1, vrf: 0, flags: ['Valid'] } as const;

test('discard, receive and L2 receive nexthops are printed to the column', (t) => {
  t.is(
    format([
      { ...plain, id: 0, type: 'Drop', family: 'AF_INET', refCount: 1870 },
      { ...plain, id: 3, type: 'L2 Receive', family: 'AF_UNSPEC' },
      { ...plain, id: 10, type: 'Receive', family: 'AF_INET', oif: 1, vrf: -1, flags: [] },
    ]),
    lines(
      'Id:0          Type:Drop           Fmly: AF_INET  Rid:0  Ref_cnt:1870       Vrf:0',
      '              Flags:Valid, ',
    ) +
      lines(
        'Id:3          Type:L2 Receive     Fmly:AF_UNSPEC  Rid:0  Ref_cnt:1          Vrf:0',
        '              Flags:Valid, ',
      ) +
      lines(
        'Id:10         Type:Receive        Fmly: AF_INET  Rid:0  Ref_cnt:1          Vrf:-1',
        '              Flags:None',
        '              Oif:1',
      ),
  );
});

test('a tunnel shows its outer header and both ends', (t) => {
  t.is(
    format([
      tunnelNexthop(),
      tunnelNexthop(
        { source: 'fd00:200::11', destination: 'fd00:200::12', data: '' },
        { flags: ['Valid', 'MPLSoGRE', 'Etree Root'] },
      ),
      tunnelNexthop(
        { l3VxlanMac: '00:00:5e:00:01:00' },
        { id: 21, flags: ['Valid', 'Vxlan', 'Etree Root', 'l3_vxlan'] },
      ),
    ]),
    lines(
      'Id:20         Type:Tunnel         Fmly: AF_INET  Rid:0  Ref_cnt:23         Vrf:0',
      '              Flags:Valid, MPLSoUDP, Etree Root, ',
      '              Oif:0 Len:14 Data:0c c4 7a 59 62 5e 0c c4 7a 59 62 5c 08 00 ',
      '              Sip:192.168.200.11 Dip:192.168.200.12',
    ) +
      lines(
        'Id:20         Type:Tunnel         Fmly: AF_INET  Rid:0  Ref_cnt:23         Vrf:0',
        '              Flags:Valid, MPLSoGRE, Etree Root, ',
        '              Oif:0 Len:0 Data:',
        '              Sip: fd00:200::11 Dip: fd00:200::12',
      ) +
      lines(
        'Id:21         Type:Tunnel         Fmly: AF_INET  Rid:0  Ref_cnt:23         Vrf:0',
        '              Flags:Valid, Vxlan, Etree Root, l3_vxlan, ',
        '              Oif:0 Len:14 Data:0c c4 7a 59 62 5e 0c c4 7a 59 62 5c 08 00 ',
        '              Sip:192.168.200.11 Dip:192.168.200.12 L3_Vxlan_Mac: 00:00:5e:00:01:00',
      ),
  );
});

test('the tunnel of a mirror shows its ports, and has a line of its own behind them', (t) => {
  const udpTunnel = { oif: 0, data: '0000000000000cc47a59625c0800', sourcePort: 8097, destinationPort: 8888 } as const;
  const flags = ['Valid', 'Udp', 'Copy SIP', 'Etree Root'];
  const mirror = { ...plain, id: 129, type: 'Tunnel', family: 'AF_INET', refCount: 2, vrf: -1, flags } as const;
  t.is(
    format([{ ...mirror, udpTunnel: { ...udpTunnel, source: '192.168.200.11', destination: '7.7.7.3' } }]),
    `${lines(
      'Id:129        Type:Tunnel         Fmly: AF_INET  Rid:0  Ref_cnt:2          Vrf:-1',
      '              Flags:Valid, Udp, Copy SIP, Etree Root, ',
      '              Oif:0 Len:14 Data:00 00 00 00 00 00 0c c4 7a 59 62 5c 08 00 ',
      '              Sip:192.168.200.11 Dip:7.7.7.3',
      '              Sport:8097 Dport:8888',
    )}\n`,
  );
  t.true(
    format([{ ...mirror, udpTunnel: { ...udpTunnel, source: 'fd00::11', destination: 'fd00::3' } }]).includes(
      '              Sip: fd00::11 Dip: fd00::3\n              Sport:8097 Dport:8888\n\n\n',
    ),
  );
});

test('a VRF translation shows the VRF it goes on in', (t) => {
  t.is(
    format([{ ...plain, id: 30, type: 'Vrf_Translate', family: 'AF_BRIDGE', vrf: 7, flags: ['Valid', 'Vxlan'] }]),
    lines(
      'Id:30         Type:Vrf_Translate  Fmly:AF_BRIDGE  Rid:0  Ref_cnt:1          Vrf:7',
      '              Flags:Valid, Vxlan, ',
      '              Vrf:7',
    ),
  );
});

test('a composite nexthop lists its members, labels in brackets, and breaks the line behind 60 characters', (t) => {
  const members = [
    { nexthop: 27, label: 57 },
    ...Array.from({ length: 14 }, (_, i) => ({ nexthop: 100 + i, label: -1 })),
  ];
  t.is(
    format([
      {
        ...plain,
        id: 88,
        type: 'Composite',
        family: 'AF_BRIDGE',
        vrf: 7,
        flags: ['Valid', 'Multicast', 'Encap'],
        members,
      },
    ]),
    lines(
      'Id:88         Type:Composite      Fmly:AF_BRIDGE  Rid:0  Ref_cnt:1          Vrf:7',
      '              Flags:Valid, Multicast, Encap, ',
      '              Sub NH(label): 27(57) 100 101 102 103 104 105 106 107 108 109 110 111 112 113',
    ),
  );
  const longer = { ...plain, id: 88, type: 'Composite', family: 'AF_BRIDGE' } as const;
  t.is(
    format([{ ...longer, members: [...members, { nexthop: 9, label: -1 }, { nexthop: 10, label: 0 }] }]).split('\n')[3],
    '                             9 10(0)',
  );
});

test('--get of a composite prints its members in full, --json its record alone', async (t) => {
  const composite = { ...plain, id: 88, type: 'Composite', family: 'AF_BRIDGE' } as const;
  const all = new Map([
    [
      88,
      {
        ...composite,
        members: [
          { nexthop: 89, label: -1 },
          { nexthop: -1, label: -1 },
        ],
      },
    ],
    [89, { ...composite, id: 89, members: [{ nexthop: 81, label: 10 }] }],
    [81, encapNexthop()],
  ]);
  const daemon = { nexthop: (id: number) => Promise.resolve(all.get(id) ?? encapNexthop()) };
  t.is(await nh.run(['--get', '88'], surroundings(daemon)), format([...all.values()]));
  t.deepEqual(JSON.parse(await nh.run(['--get', '88', '--json'], surroundings(daemon))), all.get(88));
});

test('an empty table prints nothing', async (t) => {
  const daemon = { nexthops: () => Promise.resolve([]) };
  t.is(await nh.run(['--list'], surroundings(daemon)), '');
  t.is(await nh.run(['--list', '--json'], surroundings(daemon)), '[]\n');
});

test('bad options print the usage and end with status 234', (t) => {
  for (const argv of [[], ['--list', '--get', '1'], ['--get', 'x'], ['--create', '5'], ['--cmd'], ['5']]) {
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit });
    t.is(exit.status, 234);
    t.regex(exit.out, /^Usage: nh /);
  }
});
