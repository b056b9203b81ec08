import { TUNNEL } from '../datapath/fabric-tunnel.js';
import { ANSWER, STEP } from '../datapath/tracer.js';
import { DROP_REASONS, DROP_TEXT, type DropReason } from '../packet/drop.js';
import { PUNT, type PuntCommand } from '../tables/punt.js';
import { NH_ID, NH_TYPE, ROUTE_FLAG, VIF_FLAG, VIF_ID } from '../tables/records.js';
import { formatAddress, formatMac } from '../wire/addr.js';
import * as ethernet from '../wire/ethernet.js';
import * as vlan from '../wire/vlan.js';
import { asked, decided, flowDropText, session, strangeMac } from './describe-flow.js';
import { mirrored } from './describe-mirror.js';
import type { TraceNames } from './names.js';
import { etherTypeText, packetText, protocolText } from './packet-text.js';
import type { Shown, Step } from './step.js';

type Describe = (step: Step, before: readonly Step[], names: TraceNames) => Shown;

const DESCRIBE: Readonly<Record<number, Describe>> = {
  [STEP.input]: input,
  [STEP.parse]: parsed,
  [STEP.bridge]: bridge,
  [STEP.route]: route,
  [STEP.neighbour]: neighbour,
  [STEP.nexthop]: nexthop,
  [STEP.segments]: ({ a }, _, names) => ({
    subject: names.vif(a),
    result: 'cut into segments: the port takes no offloads',
    ids: { vif: a },
  }),
  [STEP.output]: ({ a, b, c }, _, names) => ({ subject: names.vif(a), result: size(b, c), ids: { vif: a } }),
  [STEP.agent]: agent,
  [STEP.answer]: ({ head, vif }) => ({ subject: '', result: packetText(head), ids: { vif } }),
  [STEP.drop]: drop,
  [STEP.policy]: asked,
  [STEP.decide]: decided,
  [STEP.flow]: session,
  [STEP.tunnel]: tunnel,
  [STEP.arrival]: arrival,
  [STEP.mirror]: mirrored,
  [STEP.wait]: () => ({ subject: '', result: 'waits for the first fragment of its datagram', ids: {} }),
};

/** Says a step in words. @param before the steps that came before it. */
export function describeStep(step: Step, before: readonly Step[], names: TraceNames): Shown {
  return DESCRIBE[step.kind](step, before, names);
}

const size = (bytes: number, packets: number): string =>
  packets > 1 ? `${bytes} bytes, ${packets} packets on a wire` : `${bytes} bytes`;

function input({ a, b, c, d, vrf }: Step, _: readonly Step[], names: TraceNames): Shown {
  const whose = d >= 0 ? `for ${names.vif(d)}` : names.vrf(vrf);
  return { subject: names.vif(a), result: `${size(b, c)}, ${whose}`, ids: { vif: a, vrf } };
}

function parsed({ a, b, c }: Step): Shown {
  const protocol = b >= 0 ? `, ${protocolText(b)}` : '';
  return { subject: '', result: `${c === 1 ? 'VLAN tag, ' : ''}${etherTypeText(a)}${protocol}`, ids: {} };
}

function bridge({ a, b, c, d, head }: Step, _: readonly Step[], names: TraceNames): Shown {
  const mac = d === 1 ? 'ff:ff:ff:ff:ff:ff (flood)' : formatMac(head, ethernet.DST);
  const result = c >= 0 ? `nexthop ${c}` : b >= 0 ? 'an entry without nexthop' : 'not in the table';
  const ids = { vrf: a, ...(b >= 0 && { bridge: b }), ...(c >= 0 && { nexthop: c }) };
  return { subject: `${names.vrf(a)}, ${mac}`, result, ids };
}

const ROUTE_LETTERS = Object.entries({ L: 'label', P: 'proxy', T: 'trap', F: 'flood' } as const);

function route({ a, b, c, d, vrf, head }: Step, _: readonly Step[], names: TraceNames): Shown {
  const v6 = isIpv6(head);
  const address = head.subarray(c, c + (v6 ? 16 : 4));
  const subject = `${names.vrf(vrf)}, ${formatAddress(address)}`;
  if (b === NH_ID.discard) return { subject, result: 'no route', ids: { vrf, nexthop: b } };
  const letters = ROUTE_LETTERS.filter(([, flag]) => (d & ROUTE_FLAG[flag]) !== 0).map(([letter]) => letter);
  const flags = letters.length > 0 ? `, flags ${letters.join('')}` : '';
  return { subject, result: `${prefixText(address, a)}${flags}, nexthop ${b}`, ids: { vrf, nexthop: b } };
}

function isIpv6(head: Uint8Array): boolean {
  const at = vlan.typeAt(head, 0, head.length);
  return at >= 0 && ethernet.type(head, at - ethernet.TYPE) === ethernet.TYPE_IPV6;
}

/** `5.5.5.0/24`: the address with the bits behind the length cleared. */
function prefixText(address: Uint8Array, length: number): string {
  const prefix = address.map((byte, i) => byte & (0xff00 >> Math.max(0, Math.min(8, length - 8 * i))));
  return `${formatAddress(prefix)}/${length}`;
}

const ANSWERS: Readonly<Record<number, string>> = {
  [ANSWER.stitched]: 'answered with the MAC bound to the address',
  [ANSWER.gateway]: 'answered with the MAC of the gateway',
  [ANSWER.owner]: 'not answered here: its owner is asked',
  [ANSWER.announcement]: 'an announcement: everybody hears it',
};

function neighbour({ a }: Step): Shown {
  return { subject: '', result: ANSWERS[a], ids: {} };
}

function nexthop({ a }: Step, _: readonly Step[], names: TraceNames): Shown {
  return { subject: `nexthop ${a}`, result: nexthopText(a, names), ids: { nexthop: a } };
}

/** Why nothing can be sent through a tunnel; empty: it is none, or there is no reason. */
function unresolvedText(id: number, names: TraceNames): string {
  const record = names.tables.nexthops.get(id)?.record;
  if (!record?.tunnel || record.rewrite !== '') return '';
  const { destination, peer } = record.tunnel;
  return `the way to ${names.peer(peer) ?? destination} is not known: nobody on the underlay answers for it`;
}

/** What a nexthop does: `Encap to vif0/4 tap1d962a60-e8 (vm2)`. */
function nexthopText(id: number, names: TraceNames): string {
  const found = names.tables.nexthops.get(id);
  switch (found?.type) {
    case undefined:
      return 'does not exist';
    case NH_TYPE.encap:
      return `Encap to ${names.vif(found.oif)}${found.bridged ? ', bridged' : ''}`;
    case NH_TYPE.tunnel:
      return `Tunnel to ${found.record.tunnel?.destination ?? 'nowhere'} by ${found.record.tunnel?.encapsulation ?? 'nothing'}`;
    case NH_TYPE.composite:
      return `Composite of ${found.members.length}`;
    case NH_TYPE.discard:
      return 'Drop';
    case NH_TYPE.l2Receive:
      return 'L2 Receive: on to routing';
    default:
      return found === undefined ? '' : `type ${found.type}`;
  }
}

/** `host-b (192.168.200.13)`: wrapped for another host. */
function arrival({ a, b, c, d }: Step, _: readonly Step[], names: TraceNames): Shown {
  const kind = a === TUNNEL.mpls ? 'label' : 'VNI';
  const host = names.tables.peers.get(d);
  return {
    subject: host === undefined ? `host ${d}` : host.name,
    result: c < 0 ? `${kind} ${b}: nobody's` : `${kind} ${b} is nexthop ${c}`,
    ids: { peer: d, [a === TUNNEL.mpls ? 'label' : 'vni']: b, ...(c >= 0 && { nexthop: c }) },
  };
}

function tunnel({ a, b, c, d }: Step, _: readonly Step[], names: TraceNames): Shown {
  const found = names.tables.nexthops.get(a)?.record.tunnel;
  if (!found) return { subject: `nexthop ${a}`, result: 'a tunnel that is gone', ids: { nexthop: a } };
  const { encapsulation, destination, peer } = found;
  const host = names.tables.peers.get(peer)?.name;
  const subject = host === undefined ? destination : `${host} (${destination})`;
  const what = encapsulation === 'VXLAN' ? 'VNI' : 'label';
  const port = c === 0 ? '' : `, source port ${c}`;
  return {
    subject,
    result: `tunnel by ${encapsulation}, ${what} ${b}${port}, ${d} bytes`,
    ids: { nexthop: a, label: b },
  };
}

const PUNTS: Readonly<Record<PuntCommand, string>> = {
  [PUNT.arp]: 'an address may have moved',
  [PUNT.nexthop]: 'for an address of the gateway',
  [PUNT.l3]: 'DHCP or a router solicitation',
  [PUNT.handleDf]: 'longer than the way to the other host takes',
  [PUNT.zeroTtl]: 'its hops are used up',
  [PUNT.icmpError]: 'an ICMP error about a tunnel packet',
  [PUNT.routerAlert]: 'an answer of another host to what the agent asked it',
};

function agent({ a, b, c }: Step): Shown {
  const what = c === 1 ? 'a copy' : 'the packet';
  const why = PUNTS[a as PuntCommand];
  const result = b < 0 ? `takes ${what}` : `${DROP_TEXT[DROP_REASONS[b]]}: too many packets for it`;
  return { subject: why, result, ids: { vif: VIF_ID.agent, trap: a } };
}

function drop(step: Step, before: readonly Step[], names: TraceNames): Shown {
  const reason = DROP_REASONS[step.a];
  const why = explain(reason, step, before, names);
  return { subject: '', result: `${DROP_TEXT[reason]}${why === '' ? '' : ` (${why})`}`, ids: { reason: step.a } };
}

/** What some counters' names do not say. */
const WHY: Readonly<Partial<Record<DropReason, string>>> = {
  invalidLabel: 'nobody gave the label away',
  invalidVnid: 'no network of this host has it',
  flowUnusable: 'it belongs to no session, and cannot begin one',
  flowEvict: 'its session is over',
  flowTableFull: 'the flow table has no room',
  fragmentQueue: 'too many fragments wait for their first already',
  noFragmentEntry: 'too many datagrams are under way in fragments',
  icmpError: 'an error about an error',
  newFlow: 'the interface has all the flows it may have',
  packetLoop: 'it would leave by where it came from',
  ttlExceeded: 'its hops are used up',
  checksum: 'checksum of the IP header',
  invalidPacket: 'the IP header or the offload header is malformed',
  pull: 'shorter than a header it announces',
  ifRxDiscard: 'no sub-interface has this VLAN',
};

/** Why a packet was dropped, where the step before says more than the counter's name. */
function explain(reason: DropReason, step: Step, before: readonly Step[], names: TraceNames): string {
  const lastOf = (kind: number): Step | undefined => before.findLast((one) => one.kind === kind);
  switch (reason) {
    case 'l2NoRoute': {
      const vif = names.tables.vifs.get(step.vif);
      if (vif && vif.id !== VIF_ID.physical && (vif.flags & VIF_FLAG.l2) === 0) return 'the network does not bridge';
      return `nobody in ${names.vrf(step.vrf)} has MAC ${formatMac(step.head, ethernet.DST)}`;
    }
    case 'discards': {
      const looked = lastOf(STEP.route);
      if (!looked) return 'nobody to send it to';
      const address = formatAddress(looked.head.subarray(looked.c, looked.c + (isIpv6(looked.head) ? 16 : 4)));
      return looked.b === NH_ID.discard ? `no route to ${address}` : `nobody has ${address}`;
    }
    case 'invalidNh': {
      const last = lastOf(STEP.nexthop);
      return last ? unresolvedText(last.a, names) : '';
    }
    case 'flowActionDrop': {
      const last = lastOf(STEP.flow);
      return last ? flowDropText(last, names) : '';
    }
    case 'invalidSource': {
      const last = lastOf(STEP.flow);
      if (step.vif === VIF_ID.physical && !lastOf(STEP.arrival))
        return 'its sender is none of the hosts known; see vrouter get hosts';
      return strangeMac(step.vif, step.head, names) ?? (last ? `it must come from ${nexthopText(last.d, names)}` : '');
    }
    default:
      return WHY[reason] ?? '';
  }
}
