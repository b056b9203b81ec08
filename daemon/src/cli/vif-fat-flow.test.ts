import test from 'ava';
import type { FatFlowDump } from '../control/dumps.js';
import { guestVif } from '../testing/dumps.js';
import { surroundings } from '../testing/surroundings.js';
import { format, vif } from './vif.js';

const rule = (protocol: number, port: number, changes: Partial<FatFlowDump> = {}): FatFlowDump => ({
  protocol,
  port,
  ignore: 'none',
  source: null,
  destination: null,
  ...changes,
});
const EXCLUDE = ['172.30.100.1/32', '172.30.100.2/32', '169.254.0.0/16', 'fe80::/10'];

/** What stands behind the drop counter. */
function section(fatFlows: readonly FatFlowDump[], fatFlowExclude: readonly string[] = EXCLUDE): string {
  return format([guestVif({ fatFlows, fatFlowExclude })]).split('Drops:21\n')[1];
}

test('the fat-flow section stands behind the drops, to the column', (t) => {
  t.is(
    section([rule(6, 22, { ignore: 'source' })]),
    `            FatFlows (Protocol/Port): 6:22  - Sip

            FatFlows IPv4 exclude prefix list:
            \t172.30.100.1
            \t172.30.100.2
            \t169.254.0.0

            FatFlows IPv6 exclude prefix list:
            \tfe80::

`,
  );
  t.is(section([], []), '\n');
});

test('each form of a rule has its text', (t) => {
  const forms: [FatFlowDump, string][] = [
    [rule(6, 0), '6:*'],
    [rule(6, 22), '6:22 '],
    [rule(6, 0, { ignore: 'source' }), '6:* - Sip'],
    [rule(6, 22, { ignore: 'destination' }), '6:22  - Dip'],
    [rule(1, 0), '1:*'],
    [
      rule(17, 53, { ignore: 'destination', source: { prefix: '10.0.0.0', length: 8, aggregate: 28 } }),
      '17:53  - Dip AggrSrc 10.0.0.0/8 28',
    ],
    [
      rule(6, 0, {
        source: { prefix: '10.0.0.0', length: 8, aggregate: 28 },
        destination: { prefix: 'fd00::', length: 64, aggregate: 96 },
      }),
      '6:* AggrSrc 10.0.0.0/8 28 AggrDst fd00::/64 96',
    ],
  ];
  for (const [given, text] of forms) {
    t.is(section([given], []), `            FatFlows (Protocol/Port): ${text}\n\n`);
  }
});

test('many rules are broken into lines that are indented under the title', (t) => {
  const rules = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => rule(6, 1000 + n, { ignore: 'source' }));
  t.is(
    section(rules, []),
    `            FatFlows (Protocol/Port): 6:1001  - Sip, 6:1002  - Sip, 6:1003  - Sip, 
                      6:1004  - Sip, 6:1005  - Sip, 6:1006  - Sip, 6:1007  - Sip, 
                      6:1008  - Sip

`,
  );
});

test('lists of one family only leave the other out', (t) => {
  t.false(section([rule(6, 0)], ['169.254.0.0/16']).includes('IPv6'));
});

test('--json has the rules as they are', async (t) => {
  const one = guestVif({ fatFlows: [rule(6, 22)], fatFlowExclude: EXCLUDE });
  const text = await vif.run(['--get', '8', '--json'], surroundings({ vif: () => Promise.resolve(one) }));
  t.deepEqual(JSON.parse(text), one);
});
