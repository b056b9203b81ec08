import test from 'ava';

import { dropstatsDump } from '../api/dump.js';
import { DROP, DROP_REASONS } from '../packet/drop.js';
import { surroundings } from '../testing/surroundings.js';
import { dropstats, formatDrops, formatNonZero, parseArgs } from './dropstats.js';
import { Exit } from './exit.js';

const ZERO = `Invalid IF                    0
Trap No IF                    0
IF TX Discard                 0
IF Drop                       0
IF RX Discard                 0

Flow Unusable                 0
Flow No Memory                0
Flow Table Full               0
Flow NAT no rflow             0
Flow Action Drop              0
Flow Action Invalid           0
Flow Invalid Protocol         0
Flow Queue Limit Exceeded     0
New Flow Drops                0
Flow Unusable (Eviction)      0

Original Packet Trapped       0

Discards                      0
TTL Exceeded                  0
Mcast Clone Fail              0
Cloned Original               0

Invalid NH                    0
Invalid Label                 0
Invalid Protocol              0
Etree Leaf to Leaf            0
Bmac/ISID Mismatch            0
Rewrite Fail                  0
Invalid Mcast Source          0
Packet Loop                   0

Push Fails                    0
Pull Fails                    0
Duplicated                    0
Head Alloc Fails              0
PCOW fails                    0
Invalid Packets               0

Misc                          0
Nowhere to go                 0
Checksum errors               0
No Fmd                        0
Invalid VNID                  0
Fragment errors               0
Invalid Source                0
Jumbo Mcast Pkt with DF Bit   0
No L2 Route                   0
Memory Failures               0
Fragment Queueing Failures    0
No Encrypt Path Failures      0

`;

function drops(counts: Partial<Record<keyof typeof DROP, number>>) {
  const counters = new Float64Array(DROP_REASONS.length);
  for (const reason of DROP_REASONS) counters[DROP[reason]] = counts[reason] ?? 0;
  return dropstatsDump(counters);
}

test('a vrouter that dropped nothing prints every counter in its group', async (t) => {
  t.is(await dropstats.run([], surroundings({ dropstats: () => Promise.resolve(drops({})) })), ZERO);
});

test('a counter outside the groups is printed behind them once it counts', (t) => {
  t.is(
    formatDrops(drops({ invalidArp: 4, clone: 1, ttlExceeded: 1234567 })),
    `${ZERO.replace('TTL Exceeded                  0', 'TTL Exceeded                  1234567')}Invalid ARP                   4
Clone Failures                1

`,
  );
});

test('--non-zero prints only what counts, in counter order', async (t) => {
  const daemon = { dropstats: () => Promise.resolve(drops({ duplicated: 7, invalidArp: 4, invalidHbs: 2 })) };
  t.is(
    await dropstats.run(['--non-zero'], surroundings(daemon)),
    'Invalid ARP                   4\nDuplicate                     7\nInvalid HBS received packet   2\n',
  );
  t.is(formatNonZero(drops({})), '');
  t.deepEqual(JSON.parse(await dropstats.run(['--non-zero', '--json'], surroundings(daemon))), {
    'Invalid ARP': 4,
    Duplicated: 7,
    'Invalid HBS received packet': 2,
  });
});

test('--json prints every counter', async (t) => {
  const all = drops({ pull: 1 });
  const text = await dropstats.run(['--json'], surroundings({ dropstats: () => Promise.resolve(all) }));
  t.deepEqual(JSON.parse(text), all);
});

test('bad options print the usage and end with status 234', (t) => {
  for (const argv of [['--core', '0'], ['--log', '0'], ['--clear'], ['all']]) {
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit });
    t.is(exit.status, 234);
    t.regex(exit.out, /^Usage: dropstats /);
  }
});
