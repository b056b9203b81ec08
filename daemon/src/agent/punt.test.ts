import test from 'ava';
import ipaddr from 'ipaddr.js';
import { PUNT, type PuntCommand } from '../tables/punt.js';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';
import { answerPunt, type GuestConfig } from './punt.js';

const VIF = 3;
const GUEST_MAC = '02:aa:f0:88:f0:65';
const GUEST: GuestConfig = {
  routed: true,
  subnets: [
    { prefix: '5.5.5.0/24', gateway: '5.5.5.1', serviceAddress: '5.5.5.2' },
    { prefix: '6.6.6.0/24', gateway: null, serviceAddress: '6.6.6.2' },
    { prefix: 'fd00:5::/64', gateway: 'fd00:5::1', serviceAddress: 'fd00:5::2' },
  ],
  mtu: 1450,
  dhcp: {
    enabled: true,
    address: '5.5.5.3',
    prefixLength: 24,
    gateway: '5.5.5.1',
    serviceAddress: '5.5.5.2',
    hostMac: '0c:c4:7a:59:62:5c',
    dnsServers: [],
    domainName: null,
    hostName: 'l3c1',
    hostRoutes: [],
    mtu: 1450,
    leaseSeconds: 0xffffffff,
  },
};

const frame = (): PacketBuilder => eth({ src: GUEST_MAC, dst: '00:00:5e:00:01:00' });
const PING = { ident: 0x1234, seq: 1 };
const ping4 = (dst: string): Uint8Array => frame().ipv4({ src: '5.5.5.3', dst }).ping(PING).bytes();
const ping6 = (dst: string): Uint8Array => frame().ipv6({ src: 'fd00:5::3', dst }).ping6(PING).bytes();
const udp4 = (src: string, dst: string): Uint8Array => frame().ipv4({ src, dst }).udp(40000, 33434).bytes();
const udp6 = (dst: string): Uint8Array => frame().ipv6({ src: 'fd00:5::3', dst }).udp(40000, 33434).bytes();
const tcp4 = (dst: string): Uint8Array => frame().ipv4({ src: '5.5.5.3', dst }).tcp(40000, 80).bytes();
const RENEWAL = frame()
  .ipv4({ src: '5.5.5.3', dst: '5.5.5.2' })
  .udp(68, 67)
  .dhcp({ type: 3, mac: GUEST_MAC, ciaddr: '5.5.5.3' })
  .bytes();
const SOLICITATION = frame().ipv6({ src: '::', dst: 'ff02::2', hopLimit: 255 }).routerSolicitation().bytes();

/** Source address of the one answer; 'nobody' when there is none. */
function answerer(command: PuntCommand, punted: Uint8Array, guest: GuestConfig = GUEST): string {
  const answers = answerPunt({ command, vif: VIF, frame: punted }, (vif) => (vif === VIF ? guest : undefined));
  if (answers.length === 0) return 'nobody';
  const [{ vif, frame: answer }] = answers;
  if (answers.length > 1 || vif !== VIF) return 'too many';
  const source = answer[12] === 0x08 ? answer.subarray(26, 30) : answer.subarray(22, 38);
  return ipaddr.fromByteArray(Array.from(source)).toString();
}

test('gateway and service addresses of all subnets answer ping, and so does the router that IPv6 advertises', (t) => {
  for (const address of ['5.5.5.1', '5.5.5.2', '6.6.6.2']) t.is(answerer(PUNT.nexthop, ping4(address)), address);
  for (const address of ['fd00:5::1', 'fd00:5::2', 'fe80::200:5eff:fe00:100']) {
    t.is(answerer(PUNT.nexthop, ping6(address)), address);
  }
});

test('what is for somebody else, or no echo request, is not answered', (t) => {
  t.is(answerer(PUNT.nexthop, ping4('5.5.5.4')), 'nobody');
  t.is(answerer(PUNT.nexthop, tcp4('5.5.5.1')), 'nobody');
  t.is(answerer(PUNT.nexthop, udp4('5.5.5.3', '5.5.5.4')), 'nobody');
  t.is(answerer(PUNT.l3, ping4('5.5.5.1')), 'nobody');
});

test('who asks the gateway for a service over UDP is told that there is none', (t) => {
  const [{ frame: four }] = answerPunt(
    { command: PUNT.nexthop, vif: VIF, frame: udp4('5.5.5.3', '5.5.5.2') },
    () => GUEST,
  );
  t.deepEqual([...four.subarray(34, 36)], [3, 3]);
  t.is(answerer(PUNT.nexthop, udp4('5.5.5.3', '5.5.5.2')), '5.5.5.2');
  const [{ frame: six }] = answerPunt({ command: PUNT.nexthop, vif: VIF, frame: udp6('fd00:5::1') }, () => GUEST);
  t.deepEqual([...six.subarray(54, 56)], [1, 4]);
  t.is(answerer(PUNT.nexthop, udp6('fd00:5::1')), 'fd00:5::1');
});

test('ARP and frames without an IP header are not answered', (t) => {
  const arp = frame().arp({ op: 2, senderMac: GUEST_MAC, senderIp: '5.5.5.3', targetIp: '5.5.5.2' }).bytes();
  for (const command of Object.values(PUNT)) {
    t.is(answerer(command, arp), 'nobody');
    for (const whole of [ping4('5.5.5.1'), ping6('fd00:5::1')]) {
      for (const length of [0, 13, 14, 33]) t.is(answerer(command, whole.subarray(0, length)), 'nobody');
    }
  }
});

test('DHCP is answered as a broadcast, and as a renewal sent to the server', (t) => {
  t.is(answerer(PUNT.l3, RENEWAL), '5.5.5.2');
  t.is(answerer(PUNT.nexthop, RENEWAL), '5.5.5.2');
  t.is(answerer(PUNT.l3, RENEWAL, { ...GUEST, dhcp: null }), 'nobody');
});

test('an expired TTL is reported by the gateway of the sender', (t) => {
  t.is(answerer(PUNT.zeroTtl, udp4('5.5.5.3', '8.8.8.8')), '5.5.5.1');
  t.is(answerer(PUNT.zeroTtl, udp4('6.6.6.3', '8.8.8.8')), '6.6.6.2', 'no gateway: the service address');
  t.is(answerer(PUNT.zeroTtl, udp4('172.30.0.3', '8.8.8.8')), '5.5.5.1', 'an address of no subnet');
  t.is(answerer(PUNT.zeroTtl, udp6('fd00:6::1')), 'fd00:5::1');
});

test('a packet too long for the tunnel is reported by the gateway of the sender, with the length that fits', (t) => {
  const punted = { command: PUNT.handleDf, parameter: 1468, vif: VIF, frame: udp4('6.6.6.3', '8.8.8.8') };
  const [{ frame: answer }] = answerPunt(punted, () => GUEST);
  t.deepEqual([...answer.subarray(26, 30)], [6, 6, 6, 2]);
  t.deepEqual([...answer.subarray(34, 36), ...answer.subarray(38, 42)], [3, 4, 0, 0, 5, 0xbc]);
  t.deepEqual(
    answerPunt(punted, () => ({ ...GUEST, routed: false })),
    [],
  );
});

test('a sender of a family the network does not have is not told', (t) => {
  const subnets = GUEST.subnets.slice(0, 1);
  t.is(answerer(PUNT.zeroTtl, udp6('fd00:6::1'), { ...GUEST, subnets }), 'nobody');
});

test('router solicitations are answered', (t) => {
  t.is(answerer(PUNT.l3, SOLICITATION), 'fe80::200:5eff:fe00:100');
});

test('a network that only bridges has DHCP, and no gateway', (t) => {
  const bridged = { ...GUEST, routed: false };
  t.is(answerer(PUNT.l3, RENEWAL, bridged), '5.5.5.2');
  t.is(answerer(PUNT.nexthop, ping4('5.5.5.1'), bridged), 'nobody');
  t.is(answerer(PUNT.zeroTtl, udp4('5.5.5.3', '8.8.8.8'), bridged), 'nobody');
  t.is(answerer(PUNT.l3, SOLICITATION, bridged), 'nobody');
});

test('frames of a vif that is gone get no answer', (t) => {
  t.deepEqual(
    answerPunt({ command: PUNT.nexthop, vif: 9, frame: ping4('5.5.5.1') }, () => undefined),
    [],
  );
});
