import test from 'ava';
import { ip6Of, ipOf, type OtherHost, routedLabelOf, TestNetwork, VNI } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { PUNT } from '../tables/punt.js';
import { parseAddress } from '../wire/addr.js';
import * as keepalive from '../wire/keepalive.js';

const HOSTS: readonly OtherHost[] = [{ peer: 2, encapsulation: 'MPLSoUDP' }];
const HOSTS6: readonly OtherHost[] = [
  { peer: 2, encapsulation: 'MPLSoUDP', source: 'fd00::11', destination: 'fd00::22' },
];
/** This host from the other one's side. */
const ASK = {
  rewrite: Uint8Array.from(Buffer.from('0c00000000010c00000000020800', 'hex')),
  source: parseAddress('192.168.200.22'),
  destination: parseAddress('192.168.200.11'),
  nonce: 0xfedcba9876543210n,
};
const ASK6 = { ...ASK, source: parseAddress('fd00::22'), destination: parseAddress('fd00::11') };

for (const [family, hosts, ask] of [
  ['IPv4', HOSTS, ASK],
  ['IPv6', HOSTS6, ASK6],
] as const) {
  test(`a host that asks over ${family} is answered, and its agent gets the answer`, (t) => {
    const [here, there] = [new TestNetwork({ hosts }), new TestNetwork({ hosts: turned(hosts) })];
    const [answer, ...others] = here.receive(0, keepalive.request(ask));
    t.is(others.length, 0);
    t.is(answer.port, 0);
    t.is(here.imbalance(), 0);
    t.deepEqual(there.receive(0, answer.frame), []);
    const [punted] = there.punted();
    t.is(punted.command, PUNT.routerAlert);
    t.is(punted.vif, 0);
    t.deepEqual(keepalive.read(punted.frame), { from: ask.destination, nonce: ask.nonce, result: 'none' });
    t.is(there.imbalance(), 0);
  });
}

const turned = (hosts: readonly OtherHost[]): OtherHost[] =>
  hosts.map((host) => ({
    ...host,
    source: host.destination ?? '192.168.200.22',
    destination: host.source ?? '192.168.200.11',
  }));

test('a probe tells whether a label leads to an address', (t) => {
  const net = new TestNetwork({ hosts: HOSTS });
  const found = (kind: 'label' | 'vni', number: number, address: string): string | undefined => {
    const [{ frame }] = net.receive(
      0,
      keepalive.request({ ...ASK, probe: { kind, number, address: parseAddress(address) } }),
    );
    return keepalive.read(frame)?.result;
  };
  t.is(found('label', routedLabelOf(3), ipOf(3)), 'reachable');
  t.is(found('label', routedLabelOf(3), ip6Of(3)), 'reachable');
  t.is(found('vni', VNI, ipOf(4)), 'reachable');
  t.is(found('label', 9999, ipOf(3)), 'unknownLabel');
  t.is(found('vni', 9999, ipOf(3)), 'unknownLabel');
  t.is(found('vni', VNI, '5.5.5.77'), 'unknownAddress');
  t.is(found('vni', VNI, '5.5.5.1'), 'unknownAddress');
  t.is(found('label', routedLabelOf(3), ipOf(4)), 'otherInterface');
});

test('strangers are not answered, and nobody more often than is good for the guests', (t) => {
  const net = new TestNetwork({ hosts: HOSTS });
  t.is(net.receive(0, keepalive.request({ ...ASK, source: parseAddress('192.168.200.99') })).length, 0);
  t.is(net.drops('invalidSource'), 1);
  let answered = 0;
  for (let i = 0; i < 1500; i++) answered += net.receive(0, keepalive.request(ASK)).length;
  t.is(answered, 1000);
  t.is(net.drops('ifRxDiscard'), 500);
  t.is(net.receive(0, keepalive.request(ASK), { afterMs: 10 }).length, 1);
  t.is(net.imbalance(), 0);
});

test('a message cut short is not answered', (t) => {
  const net = new TestNetwork({ hosts: HOSTS });
  const frame = keepalive.request(ASK);
  frame[50] ^= 1;
  t.is(net.receive(0, frame).length, 0);
  t.is(net.drops('invalidPacket'), 1);
});

test('answers reach the agent while somebody floods it with errors', (t) => {
  const net = new TestNetwork({ hosts: HOSTS, agentBurst: 10 });
  const error = eth({ src: '0c:00:00:00:00:02', dst: '0c:00:00:00:00:01' })
    .ipv4({ src: '192.168.200.1', dst: '192.168.200.11' })
    .icmp({ type: 3, code: 4 })
    .payload(new Uint8Array(28))
    .bytes();
  for (let i = 0; i < 20; i++) net.receive(0, error);
  t.is(net.punted().length, 10);
  const there = new TestNetwork({ hosts: turned(HOSTS) });
  const asked = { ...ASK, source: ASK.destination, destination: ASK.source };
  const [{ frame }] = there.receive(0, keepalive.request(asked));
  net.receive(0, frame);
  t.is(net.punted()[0].command, PUNT.routerAlert);
  t.is(net.imbalance(), 0);
});
