import test from 'ava';
import type { DropstatsDump, InetRouteDump } from '../../daemon/src/control/dumps.js';
import type { Daemon } from './lab/daemon.js';
import { mirrorTo, resolved } from './lab/mirror.js';
import type { Background } from './lab/process.js';
import { sleep, until } from './lab/process.js';
import { type Document, portOf } from './lab/topology.js';
import {
  A,
  B,
  between,
  connects,
  flows,
  guestPort,
  leftNetwork,
  policy,
  rightNetwork,
  serve,
  twoNetworks,
} from './lab/two-networks.js';

const ICMP = policy('p', between({ protocol: 'icmp' }));
const ATTACHED = [leftNetwork(['p']), rightNetwork(['p'])];

async function flowDrops(daemon: Daemon): Promise<number> {
  return (await daemon.dump<DropstatsDump>('dropstats'))['Flow Action Drop'];
}

/** The host route to an address in the VRF of a port. */
async function routeTo(daemon: Daemon, port: string, address: string): Promise<InetRouteDump | undefined> {
  const { vif } = await portOf(daemon, port);
  const routes = await daemon.dump<InetRouteDump[]>('rt', `--dump ${vif.vrf}`);
  return routes.find(({ prefix, ppl }) => prefix === address && ppl === 32);
}

/** Whether a ping that runs is answered in the second that follows. */
async function goesOn(ping: Background): Promise<boolean> {
  const from = ping.output.length;
  await sleep(1000);
  return ping.output.slice(from).includes(' bytes from ');
}

test('without a policy nothing passes between networks; with one, what it says does, and its routes are there', async (t) => {
  const { daemon, a, b } = await twoNetworks(t);
  t.false(await a.answers(B));
  t.is(await routeTo(daemon, 'a', B), undefined);

  await daemon.apply(ICMP, ...ATTACHED);
  await a.ping(B);
  await b.ping(A);
  const leaked = await routeTo(daemon, 'a', B);
  t.like(leaked, { flags: ['P'], stitchedMac: null, nexthop: (await routeTo(daemon, 'b', B))?.nexthop });

  await serve(b, 80);
  const before = await flowDrops(daemon);
  t.false(await connects(a, B, 80));
  t.true((await flowDrops(daemon)) > before);
  t.true((await flows(daemon)).includes(`${A} > ${B} Policy`));
});

test('a leaked route follows the interface it leads to', async (t) => {
  const { daemon, a, b } = await twoNetworks(t, ICMP, ...ATTACHED);
  await daemon.run('vrouter', 'delete vmi b');
  await daemon.run('vrouter', 'wait');
  t.is(await routeTo(daemon, 'a', B), undefined);
  await daemon.apply(guestPort('b', 'right', b));
  await a.ping(B);
});

test('a ping that runs stops at once when a rule denies it or its policy goes, and goes on when it may', async (t) => {
  const { daemon, a } = await twoNetworks(t, ICMP, ...ATTACHED);
  const ping = a.spawn(['ping', '-n', '-i', '0.1', B]);
  await ping.waitFor(/icmp_seq=5 /);
  // The routes stay: only the flow is decided anew.
  await daemon.apply(policy('p', between({ protocol: 'icmp', action: 'deny' }), between()));
  t.false(await goesOn(ping));
  await daemon.apply(ICMP);
  t.true(await goesOn(ping));
  await daemon.apply(leftNetwork(), rightNetwork());
  t.false(await goesOn(ping));
  await daemon.apply(...ATTACHED);
  t.true(await goesOn(ping));

  // A rule that gets a mirror has the session copied that is under way, in both directions.
  const mirror = { analyzerName: 'dpi', analyzerIp: B };
  await daemon.apply(policy('p', between({ protocol: 'icmp', mirror })));
  await resolved(daemon, 'dpi');
  await until(
    'packets are copied',
    async () => (await mirrorTo(daemon, 'dpi')).counters.ingress.packets > 3 || undefined,
  );
  t.regex(await daemon.run('flow', '-l'), /\n Mirror Index : 0 SPort/);
  t.regex(
    await daemon.run('vrouter', `trace a icmp ${B}`),
    /\n +mirror +mirror 0 \(dpi\), the session +copied, out of /,
  );
  t.true(await goesOn(ping));
  await daemon.apply(ICMP);
  t.true(await goesOn(ping));
  t.false((await daemon.run('flow', '-l')).includes('Mirror Index'));
});

test('a policy of one direction lets one side begin, and the other answer', async (t) => {
  const rule = { protocol: 'tcp', direction: '>', destination: { virtualNetwork: 'right', ports: [80] } };
  const { a, b } = await twoNetworks(t, policy('p', between(rule)), ...ATTACHED);
  for (const guest of [a, b]) for (const port of [80, 81]) await serve(guest, port);
  t.true(await connects(a, B, 80));
  t.false(await connects(a, B, 81));
  t.false(await connects(b, A, 80));
});

test('IPv6 addresses are leaked and filtered as IPv4 ones are', async (t) => {
  const six = (n: number): Document => ({ subnets: [{ prefix: `10.${n}.0.0/24` }, { prefix: `fd00:${n}::/64` }] });
  const rules = [
    between({ protocol: 'icmp6' }),
    between({ protocol: 'tcp', destination: { subnet: 'fd00:2::/64', ports: [80] } }),
  ];
  const { a, b } = await twoNetworks(t, policy('p', ...rules), leftNetwork(['p'], six(1)), rightNetwork(['p'], six(2)));
  for (const port of [80, 81]) await serve(b, port);
  await a.ping('fd00:2::3');
  await b.ping('fd00:1::3');
  t.true(await connects(a, 'fd00:2::3', 80));
  t.false(await connects(a, 'fd00:2::3', 81));
  t.false(await connects(a, B, 80), 'the rule is about IPv6');
});

test('the first rule that matches decides, and inside a network everything passes', async (t) => {
  const rules = [
    between({ protocol: 'icmp', action: 'deny', destination: { subnet: '10.2.0.3/32' } }),
    between({ protocol: 'icmp' }),
  ];
  const { daemon, lab, a, b } = await twoNetworks(t, policy('p', ...rules), ...ATTACHED);
  const c = await lab.namespace('c');
  await daemon.apply(guestPort('c', 'right', c));
  t.false(await a.answers(B));
  await a.ping('10.2.0.4');
  await b.ping('10.2.0.4');
});
