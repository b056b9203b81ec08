import test from 'ava';
import type { NexthopDump, StatusDump } from '../../daemon/src/control/dumps.js';
import { portOf } from './lab/topology.js';
import {
  A,
  B,
  between,
  connects,
  flows,
  group,
  guestPort,
  leftNetwork,
  policy,
  rightNetwork,
  serve,
  twoNetworks,
} from './lab/two-networks.js';

const ICMP_ONLY = [policy('p', between({ protocol: 'icmp' })), leftNetwork(['p']), rightNetwork(['p'])];
const NONE = group('none', { ingress: [], egress: [] });

test('in packet mode routes are leaked, nothing is filtered, no flow is made, and status says what does nothing', async (t) => {
  const { daemon, a, b } = await twoNetworks(t, ...ICMP_ONLY);
  t.deepEqual((await portOf(daemon, 'a')).vif.flags, ['P', 'L3', 'L2', 'D', 'Er']);
  const packetMode = { packetMode: true, securityGroups: ['none'], maxFlows: 10 };
  await daemon.apply(NONE, guestPort('a', 'left', a, packetMode), guestPort('b', 'right', b, { packetMode: true }));
  const { vif } = await portOf(daemon, 'a');
  t.deepEqual(vif.flags, ['L3', 'L2', 'D', 'Er']);
  const nexthops = await daemon.dump<NexthopDump[]>('nh', '--list');
  t.true(nexthops.filter(({ encap }) => encap?.oif === vif.id).every(({ flags }) => !flags.includes('Policy')));

  await serve(b, 80);
  await a.ping(B);
  await b.ping(A);
  t.true(await connects(a, B, 80));
  t.deepEqual(await flows(daemon), []);
  t.deepEqual([(await portOf(daemon, 'a')).vif.flows.entries, (await portOf(daemon, 'b')).vif.flows.entries], [0, 0]);
  t.regex(await daemon.run('vif', `--get ${vif.id}`), / Flags:L3L2DEr /);

  const { warnings } = await daemon.dump<StatusDump>('vrouter', 'status');
  t.deepEqual(
    warnings.filter((line) => line.startsWith('VirtualMachineInterface/a:')),
    [
      'VirtualMachineInterface/a: in packet mode SecurityGroup/none, the filters of NetworkPolicy/p, maxFlows, portSecurity ' +
        'and rpf do nothing; set packetMode: false, or remove them (portSecurity: false)',
    ],
  );
});

test('of a guest in packet mode and one with flows, the one with flows is protected', async (t) => {
  const { daemon, a, b } = await twoNetworks(t, ...ICMP_ONLY);
  await daemon.apply(guestPort('a', 'left', a, { packetMode: true }));
  for (const guest of [a, b]) await serve(guest, 80);
  await a.ping(B);
  t.deepEqual((await flows(daemon)).sort(), [`${A} > ${B} forward`, `${B} > ${A} forward`]);
  await b.ping(A);
  t.false(await connects(a, B, 80));
  t.false(await connects(b, A, 80));
  await daemon.apply(NONE, guestPort('b', 'right', b, { securityGroups: ['none'] }));
  t.false(await a.answers(B));
});

test('a guest changes between the modes with its traffic under way', async (t) => {
  const { daemon, a } = await twoNetworks(t, ...ICMP_ONLY);
  const ping = a.spawn(['ping', '-n', '-i', '0.1', B]);
  await ping.waitFor(/icmp_seq=5 /);
  for (const packetMode of [true, false]) {
    await daemon.apply(guestPort('a', 'left', a, { packetMode }));
    await ping.waitFor(/ bytes from /, 3000, ping.output.length);
  }
  t.true(ping.running);
});
