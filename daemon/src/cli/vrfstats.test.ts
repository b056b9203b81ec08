import test from 'ava';

import { vrfstatsDump } from '../api/dump.js';
import { surroundings } from '../testing/surroundings.js';
import { Exit } from './exit.js';
import { format, parseArgs, vrfstats } from './vrfstats.js';

test('a VRF is printed on seven lines', (t) => {
  t.is(
    format([vrfstatsDump(7, { l2Receives: 378, encaps: 12, arpVirtualFloods: 3 })]),
    `Vrf: 7
Discards 0, Resolves 0, Receives 0, L2 Receives 378, Vrf Translates 0, Unknown Unicast Floods 0
Ecmp Composites 0, L2 Mcast Composites 0, Fabric Composites 0, Encap Composites 0, Evpn Composites 0
Udp Tunnels 0, Udp Mpls Tunnels 0, Gre Mpls Tunnels 0, Vxlan Tunnels 0, Pbb Tunnels 0
L2 Encaps 0, Encaps 12
GROs 0, Diags 0
Arp Virtual Proxys 0, Arp Virtual Stitchs 0, Arp Virtual Floods 3, Arp Physical Stitchs 0, Arp Tor Proxys 0, Arp Physical Floods 0

`,
  );
});

test('--dump prints all VRFs, --get one', async (t) => {
  const vrfs = [vrfstatsDump(0, {}), vrfstatsDump(7, { discards: 1 })];
  const daemon = {
    vrfstats: () => Promise.resolve(vrfs),
    vrfstatsOf: (vrf: number) => Promise.resolve(vrfstatsDump(vrf, {})),
  };
  t.is(await vrfstats.run(['--dump'], surroundings(daemon)), format(vrfs));
  t.is(await vrfstats.run(['--get', '3'], surroundings(daemon)), format([vrfstatsDump(3, {})]));
  t.deepEqual(JSON.parse(await vrfstats.run(['--get', '3', '--json'], surroundings(daemon))), vrfstatsDump(3, {}));
});

test('a vrouter without VRFs prints nothing', async (t) => {
  t.is(await vrfstats.run(['--dump'], surroundings({ vrfstats: () => Promise.resolve([]) })), '');
});

test('bad options print the usage and end with status 234', (t) => {
  for (const argv of [[], ['--dump', '--get', '1'], ['--get'], ['--list']]) {
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit });
    t.is(exit.status, 234);
    t.regex(exit.out, /^Usage: vrfstats /);
  }
});
