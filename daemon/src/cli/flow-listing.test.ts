import test from 'ava';

import { parseFlowMatch } from '../control/flow-match.js';
import type { FlowDump } from '../control/flow-dumps.js';
import { tcpFlow } from '../testing/dumps.js';
import { formatFlow, formatTitles } from './flow-format.js';

/** What entries of one listing have in common, and each of them: indices, addresses, generation, TCP, S(nh), counts, ports. */
type Shared = Pick<FlowDump, 'vrf' | 'keyNexthop'>;
type Entry = readonly [
  index: number,
  reverse: number,
  source: readonly [string, number],
  destination: readonly [string, number],
  generation: number,
  tcp: string,
  rpfNexthop: number,
  packets: number,
  bytes: number,
  udpSourcePort: number,
  sourceInfo: string,
];

const dump = (shared: Shared, entry: Entry): FlowDump => {
  const [index, reverse, source, destination, generation, tcp, rpfNexthop, packets, bytes, udpSourcePort, sourceInfo] =
    entry;
  return tcpFlow({
    ...shared,
    index,
    reverse,
    source: source[0],
    sourcePort: source[1],
    destination: destination[0],
    destinationPort: destination[1],
    generation,
    tcp: tcp.match(/[A-Z][a-z]?/g) ?? [],
    rpfNexthop,
    packets,
    bytes,
    udpSourcePort,
    sourceInfo,
  });
};

/** Lines without the blanks at their ends. */
const trimmed = (text: string): string => text.replaceAll(/ +$/gm, '');

function listed(name: string, match: string, shared: Shared, entries: readonly Entry[], expected: string): void {
  test(`a listing is printed to the column: ${name}`, (t) => {
    const text = formatTitles(parseFlowMatch(match)) + entries.map((entry) => formatFlow(dump(shared, entry))).join('');
    t.is(trimmed(text), expected);
  });
}

listed(
  'no fat flow',
  '10.10.0.1 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [131252, 202092, ['8.8.8.8', 22], ['10.10.0.1', 64165], 1, 'SSrEEr', 20, 12, 2765, 56468, '192.168.200.12'],
    [173368, 398624, ['10.10.0.1', 52986], ['8.8.8.8', 23], 1, 'SSrEEr', 122, 10, 813, 53068, '16.0.0.0'],
    [202092, 131252, ['10.10.0.1', 64165], ['8.8.8.8', 22], 1, 'SSrEEr', 122, 13, 3119, 58539, '16.0.0.0'],
    [398624, 173368, ['8.8.8.8', 23], ['10.10.0.1', 52986], 1, 'SSrEEr', 20, 8, 583, 61392, '192.168.200.12'],
  ],
  `Listing flows matching ([10.10.0.1]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
   131252<=>202092       8.8.8.8:22                                          6 (8)
                         10.10.0.1:64165
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):20,  Stats:12/2765,
 SPort 56468, TTL 0, Sinfo 192.168.200.12)

   173368<=>398624       10.10.0.1:52986                                     6 (8)
                         8.8.8.8:23
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):122,  Stats:10/813,
 SPort 53068, TTL 0, Sinfo 16.0.0.0)

   202092<=>131252       10.10.0.1:64165                                     6 (8)
                         8.8.8.8:22
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):122,  Stats:13/3119,
 SPort 58539, TTL 0, Sinfo 16.0.0.0)

   398624<=>173368       8.8.8.8:23                                          6 (8)
                         10.10.0.1:52986
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):20,  Stats:8/583,
 SPort 61392, TTL 0, Sinfo 192.168.200.12)

`,
);

listed(
  'TCP, every port',
  '10.10.0.1 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [125628, 160496, ['10.10.0.1', 0], ['8.8.8.8', 0], 5, '', 122, 38, 7183, 63262, '16.0.0.0'],
    [160496, 125628, ['8.8.8.8', 0], ['10.10.0.1', 0], 5, '', 20, 34, 6217, 62655, '192.168.200.12'],
  ],
  `Listing flows matching ([10.10.0.1]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
   125628<=>160496       10.10.0.1:0                                         6 (8)
                         8.8.8.8:0
(Gen: 5, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:38/7183,
 SPort 63262, TTL 0, Sinfo 16.0.0.0)

   160496<=>125628       8.8.8.8:0                                           6 (8)
                         10.10.0.1:0
(Gen: 5, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:34/6217,
 SPort 62655, TTL 0, Sinfo 192.168.200.12)

`,
);

listed(
  'TCP port 22, two sessions',
  '10.10.0.1 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [377700, 450224, ['10.10.0.1', 0], ['8.8.8.8', 22], 2, '', 122, 26, 6238, 61282, '16.0.0.0'],
    [450224, 377700, ['8.8.8.8', 22], ['10.10.0.1', 0], 2, '', 20, 24, 5530, 56413, '192.168.200.12'],
  ],
  `Listing flows matching ([10.10.0.1]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
   377700<=>450224       10.10.0.1:0                                         6 (8)
                         8.8.8.8:22
(Gen: 2, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:26/6238,
 SPort 61282, TTL 0, Sinfo 16.0.0.0)

   450224<=>377700       8.8.8.8:22                                          6 (8)
                         10.10.0.1:0
(Gen: 2, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:24/5530,
 SPort 56413, TTL 0, Sinfo 192.168.200.12)

`,
);

listed(
  'TCP port 22, and a session to port 23',
  '10.10.0.1 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [143264, 435120, ['10.10.0.1', 64228], ['8.8.8.8', 23], 1, 'SSrEEr', 122, 11, 879, 53222, '16.0.0.0'],
    [377700, 450224, ['10.10.0.1', 0], ['8.8.8.8', 22], 2, '', 122, 28, 6370, 61282, '16.0.0.0'],
    [435120, 143264, ['8.8.8.8', 23], ['10.10.0.1', 64228], 1, 'SSrEEr', 20, 9, 635, 59946, '192.168.200.12'],
    [450224, 377700, ['8.8.8.8', 22], ['10.10.0.1', 0], 2, '', 20, 26, 5634, 56413, '192.168.200.12'],
  ],
  `Listing flows matching ([10.10.0.1]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
   143264<=>435120       10.10.0.1:64228                                     6 (8)
                         8.8.8.8:23
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):122,  Stats:11/879,
 SPort 53222, TTL 0, Sinfo 16.0.0.0)

   377700<=>450224       10.10.0.1:0                                         6 (8)
                         8.8.8.8:22
(Gen: 2, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:28/6370,
 SPort 61282, TTL 0, Sinfo 16.0.0.0)

   435120<=>143264       8.8.8.8:23                                          6 (8)
                         10.10.0.1:64228
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):20,  Stats:9/635,
 SPort 59946, TTL 0, Sinfo 192.168.200.12)

   450224<=>377700       8.8.8.8:22                                          6 (8)
                         10.10.0.1:0
(Gen: 2, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:26/5634,
 SPort 56413, TTL 0, Sinfo 192.168.200.12)

`,
);

listed(
  'TCP, every port, source ignored',
  '8.8.8.8 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [67544, 375180, ['8.8.8.8', 0], ['0.0.0.0', 0], 6, '', 20, 24, 5530, 53664, '192.168.200.12'],
    [375180, 67544, ['0.0.0.0', 0], ['8.8.8.8', 0], 6, '', 122, 26, 6238, 61852, '16.0.0.0'],
  ],
  `Listing flows matching ([8.8.8.8]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
    67544<=>375180       8.8.8.8:0                                           6 (8)
                         0.0.0.0:0
(Gen: 6, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:24/5530,
 SPort 53664, TTL 0, Sinfo 192.168.200.12)

   375180<=>67544        0.0.0.0:0                                           6 (8)
                         8.8.8.8:0
(Gen: 6, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:26/6238,
 SPort 61852, TTL 0, Sinfo 16.0.0.0)

`,
);

listed(
  'TCP port 22, source ignored, two sources',
  '8.8.8.8 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [64612, 383724, ['0.0.0.0', 0], ['8.8.8.8', 22], 3, '', 122, 26, 6238, 64951, '16.0.0.0'],
    [383724, 64612, ['8.8.8.8', 22], ['0.0.0.0', 0], 3, '', 20, 24, 5530, 62248, '192.168.200.12'],
  ],
  `Listing flows matching ([8.8.8.8]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
    64612<=>383724       0.0.0.0:0                                           6 (8)
                         8.8.8.8:22
(Gen: 3, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:26/6238,
 SPort 64951, TTL 0, Sinfo 16.0.0.0)

   383724<=>64612        8.8.8.8:22                                          6 (8)
                         0.0.0.0:0
(Gen: 3, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:24/5530,
 SPort 62248, TTL 0, Sinfo 192.168.200.12)

`,
);

listed(
  'TCP port 22, source ignored, and a session to port 23',
  '8.8.8.8 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [64612, 383724, ['0.0.0.0', 0], ['8.8.8.8', 22], 3, '', 122, 30, 6502, 64951, '16.0.0.0'],
    [368928, 388412, ['8.8.8.8', 23], ['10.10.0.1', 55216], 1, 'SSrEEr', 20, 8, 583, 53194, '192.168.200.12'],
    [383724, 64612, ['8.8.8.8', 22], ['0.0.0.0', 0], 3, '', 20, 28, 5738, 62248, '192.168.200.12'],
    [388412, 368928, ['10.10.0.1', 55216], ['8.8.8.8', 23], 1, 'SSrEEr', 122, 10, 813, 61171, '16.0.0.0'],
  ],
  `Listing flows matching ([8.8.8.8]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
    64612<=>383724       0.0.0.0:0                                           6 (8)
                         8.8.8.8:22
(Gen: 3, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:30/6502,
 SPort 64951, TTL 0, Sinfo 16.0.0.0)

   368928<=>388412       8.8.8.8:23                                          6 (8)
                         10.10.0.1:55216
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):20,  Stats:8/583,
 SPort 53194, TTL 0, Sinfo 192.168.200.12)

   383724<=>64612        8.8.8.8:22                                          6 (8)
                         0.0.0.0:0
(Gen: 3, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:28/5738,
 SPort 62248, TTL 0, Sinfo 192.168.200.12)

   388412<=>368928       10.10.0.1:55216                                     6 (8)
                         8.8.8.8:23
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):122,  Stats:10/813,
 SPort 61171, TTL 0, Sinfo 16.0.0.0)

`,
);

listed(
  'TCP, every port, destination ignored',
  '10.10.0.1 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [402332, 448524, ['0.0.0.0', 0], ['10.10.0.1', 0], 6, '', 20, 2, 104, 55089, '192.168.200.12'],
    [448524, 402332, ['10.10.0.1', 0], ['0.0.0.0', 0], 6, '', 122, 2, 132, 50011, '16.0.0.0'],
  ],
  `Listing flows matching ([10.10.0.1]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
   402332<=>448524       0.0.0.0:0                                           6 (8)
                         10.10.0.1:0
(Gen: 6, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:2/104,
 SPort 55089, TTL 0, Sinfo 192.168.200.12)

   448524<=>402332       10.10.0.1:0                                         6 (8)
                         0.0.0.0:0
(Gen: 6, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:2/132,
 SPort 50011, TTL 0, Sinfo 16.0.0.0)

`,
);

listed(
  'TCP port 22, destination ignored',
  '10.10.0.1 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [166544, 339920, ['10.10.0.1', 0], ['0.0.0.0', 22], 2, '', 122, 13, 3119, 58238, '16.0.0.0'],
    [339920, 166544, ['0.0.0.0', 22], ['10.10.0.1', 0], 2, '', 20, 12, 2765, 58239, '192.168.200.12'],
  ],
  `Listing flows matching ([10.10.0.1]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
   166544<=>339920       10.10.0.1:0                                         6 (8)
                         0.0.0.0:22
(Gen: 2, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:13/3119,
 SPort 58238, TTL 0, Sinfo 16.0.0.0)

   339920<=>166544       0.0.0.0:22                                          6 (8)
                         10.10.0.1:0
(Gen: 2, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:12/2765,
 SPort 58239, TTL 0, Sinfo 192.168.200.12)

`,
);

listed(
  'TCP port 22, destination ignored, and a session to port 23',
  '10.10.0.1 & vrf 8',
  { vrf: 8, keyNexthop: 122 },
  // prettier-ignore
  [
    [153448, 487796, ['8.8.8.8', 23], ['10.10.0.1', 62123], 1, 'SSrEEr', 20, 8, 583, 52129, '192.168.200.12'],
    [166544, 339920, ['10.10.0.1', 0], ['0.0.0.0', 22], 2, '', 122, 13, 3119, 58238, '16.0.0.0'],
    [339920, 166544, ['0.0.0.0', 22], ['10.10.0.1', 0], 2, '', 20, 12, 2765, 58239, '192.168.200.12'],
    [487796, 153448, ['10.10.0.1', 62123], ['8.8.8.8', 23], 1, 'SSrEEr', 122, 10, 813, 63498, '16.0.0.0'],
  ],
  `Listing flows matching ([10.10.0.1]:*, VRF 8)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
   153448<=>487796       8.8.8.8:23                                          6 (8)
                         10.10.0.1:62123
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):20,  Stats:8/583,
 SPort 52129, TTL 0, Sinfo 192.168.200.12)

   166544<=>339920       10.10.0.1:0                                         6 (8)
                         0.0.0.0:22
(Gen: 2, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):122,  Stats:13/3119,
 SPort 58238, TTL 0, Sinfo 16.0.0.0)

   339920<=>166544       0.0.0.0:22                                          6 (8)
                         10.10.0.1:0
(Gen: 2, K(nh):122, Action:F, Flags:, TCP:, QOS:-1, S(nh):20,  Stats:12/2765,
 SPort 58239, TTL 0, Sinfo 192.168.200.12)

   487796<=>153448       10.10.0.1:62123                                     6 (8)
                         8.8.8.8:23
(Gen: 1, K(nh):122, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):122,  Stats:10/813,
 SPort 63498, TTL 0, Sinfo 16.0.0.0)

`,
);

listed(
  'a virtual address behind one guest',
  '192.168.20.254',
  { vrf: 3, keyNexthop: 37 },
  // prettier-ignore
  [
    [34804, 159136, ['192.168.20.3', 38006], ['192.168.20.254', 22], 1, 'SSrEEr', 21, 17, 2596, 63244, '192.168.200.11'],
    [159136, 34804, ['192.168.20.254', 22], ['192.168.20.3', 38006], 1, 'SSrEEr', 48, 13, 3371, 56938, '5.0.0.0'],
  ],
  `Listing flows matching ([192.168.20.254]:*)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
    34804<=>159136       192.168.20.3:38006                                  6 (3)
                         192.168.20.254:22
(Gen: 1, K(nh):37, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):21,  Stats:17/2596,
 SPort 63244, TTL 0, Sinfo 192.168.200.11)

   159136<=>34804        192.168.20.254:22                                   6 (3)
                         192.168.20.3:38006
(Gen: 1, K(nh):37, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):48,  Stats:13/3371,
 SPort 56938, TTL 0, Sinfo 5.0.0.0)

`,
);

listed(
  'the same behind another',
  '192.168.20.254',
  { vrf: 3, keyNexthop: 56 },
  // prettier-ignore
  [
    [69284, 520348, ['192.168.20.3', 38010], ['192.168.20.254', 22], 1, 'SSrEEr', 21, 18, 2662, 60164, '192.168.200.11'],
    [520348, 69284, ['192.168.20.254', 22], ['192.168.20.3', 38010], 1, 'SSrEEr', 42, 13, 3371, 49893, '6.0.0.0'],
  ],
  `Listing flows matching ([192.168.20.254]:*)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
    69284<=>520348       192.168.20.3:38010                                  6 (3)
                         192.168.20.254:22
(Gen: 1, K(nh):56, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):21,  Stats:18/2662,
 SPort 60164, TTL 0, Sinfo 192.168.200.11)

   520348<=>69284        192.168.20.254:22                                   6 (3)
                         192.168.20.3:38010
(Gen: 1, K(nh):56, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):42,  Stats:13/3371,
 SPort 49893, TTL 0, Sinfo 6.0.0.0)

`,
);

listed(
  'a guest and a remote one',
  '5.5.5.3',
  { vrf: 3, keyNexthop: 42 },
  // prettier-ignore
  [
    [82712, 108744, ['5.5.5.4', 22], ['5.5.5.3', 63005], 1, 'SSrEEr', 27, 12, 1986, 56884, '192.168.200.13'],
    [108744, 82712, ['5.5.5.3', 63005], ['5.5.5.4', 22], 1, 'SSrEEr', 42, 12, 3153, 64984, '4.0.0.0'],
  ],
  `Listing flows matching ([5.5.5.3]:*)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
    82712<=>108744       5.5.5.4:22                                          6 (3)
                         5.5.5.3:63005
(Gen: 1, K(nh):42, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):27,  Stats:12/1986,
 SPort 56884, TTL 0, Sinfo 192.168.200.13)

   108744<=>82712        5.5.5.3:63005                                       6 (3)
                         5.5.5.4:22
(Gen: 1, K(nh):42, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S(nh):42,  Stats:12/3153,
 SPort 64984, TTL 0, Sinfo 4.0.0.0)

`,
);

listed(
  'a guest without flows',
  '5.5.5.3',
  { vrf: 3, keyNexthop: 42 },
  // prettier-ignore
  [
  ],
  `Listing flows matching ([5.5.5.3]:*)

    Index                Source:Port/Destination:Port                      Proto(V)
-----------------------------------------------------------------------------------
`,
);
