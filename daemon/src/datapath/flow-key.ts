import { FRAGMENT } from '../packet/packet.js';
import { FLOW, type FlowKey } from '../tables/flow.js';
import { NH_TYPE } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import type { Vif } from '../tables/vif.js';
import type { Route, Vrf } from '../tables/vrf.js';
import { get32, put32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import { hasPorts } from '../wire/ip-protocol.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Datapath } from './datapath.js';
import { writePorts } from './flow-ports.js';
import { recallPorts, rememberPorts } from './fragment.js';
import { isIcmpError, quotedKey } from './icmp-error.js';
import { ipEnd } from './parse.js';
import { mixPort, portOf } from './tunnel-entropy.js';

const IPV4_KEY = 4 << 8;
const IPV6_KEY = 6 << 8;
/** Bytes TCP and UDP begin with: source and destination port. */
const PORTS_LEN = 4;

/**
 * Writes the key of the packet in hand, which parse() has accepted as IP, with `keyNh` as its nexthop, to `flow.real`. False: the
 * packet has none, and was dropped.
 */
export function packetKey(dp: Datapath, keyNh: number): boolean {
  const { p, b, flow } = dp;
  let key: FlowKey;
  if (p.etherType === ethernet.TYPE_IPV4) {
    // Words behind the addresses are 0 from the start.
    key = flow.real4;
    key[FLOW.protocol] = IPV4_KEY | p.protocol;
    key[FLOW.source] = get32(b, p.l3At + ipv4.SRC);
    key[FLOW.destination] = get32(b, p.l3At + ipv4.DST);
  } else {
    key = flow.real6;
    key[FLOW.protocol] = IPV6_KEY | p.protocol;
    for (let w = 0; w < 4; w++) {
      key[FLOW.source + w] = get32(b, p.l3At + ipv6.SRC + 4 * w);
      key[FLOW.destination + w] = get32(b, p.l3At + ipv6.DST + 4 * w);
    }
  }
  // To write what it is already would cost more than to look.
  if (flow.real !== key) flow.real = key;
  key[FLOW.keyNh] = keyNh;
  const isCommon = p.protocol === ipv4.PROTOCOL_TCP || p.protocol === ipv4.PROTOCOL_UDP;
  if (!isCommon || p.fragment !== FRAGMENT.none || p.l4At + PORTS_LEN > ipEnd(dp)) return packetPorts(dp, key);
  key[FLOW.ports] = get32(b, p.l4At);
  return true;
}

/** Ports of the packet, or what stands for them; of an ICMP error, the key of what it quotes. */
function packetPorts(dp: Datapath, key: FlowKey): boolean {
  const { p, b } = dp;
  if (p.fragment === FRAGMENT.later) return recallPorts(dp, key);
  if (isIcmpError(dp)) return quotedKey(dp, key);
  if (!writePorts(b, p.protocol, p.l4At, ipEnd(dp), key)) {
    dp.drop('pull');
    return false;
  }
  return p.fragment !== FRAGMENT.head || rememberPorts(dp, key[FLOW.ports]);
}

/** Writes the key of the packets that answer those of `key`. */
export function answerKey(key: FlowKey, keyNh: number, into: FlowKey): void {
  const ports = key[FLOW.ports];
  into[FLOW.protocol] = key[FLOW.protocol];
  into[FLOW.ports] = hasPorts(key[FLOW.protocol] & 0xff) ? (ports << 16) | (ports >>> 16) : ports;
  into[FLOW.keyNh] = keyNh;
  for (let w = 0; w < 4; w++) {
    into[FLOW.source + w] = key[FLOW.destination + w];
    into[FLOW.destination + w] = key[FLOW.source + w];
  }
}

export function sameKey(one: FlowKey, other: FlowKey): boolean {
  for (let w = 0; w < one.length; w++) if (one[w] !== other[w]) return false;
  return true;
}

/** A source port for the tunnel around this direction, from the key and a number nobody outside knows. */
export function outerPort(key: FlowKey, vrf: number, seed: number): number {
  let h = seed ^ vrf;
  for (let w = 0; w < key.length; w++) if (w !== FLOW.keyNh) h = mixPort(h, key[w]);
  return portOf(h);
}

const address = new Uint8Array(16);

/** Route of the address at word `word` (FLOW.source, FLOW.destination) of a key. */
export function routeOf(vrf: Vrf, key: FlowKey, word: number): Route {
  if (key[FLOW.protocol] >>> 8 === 4) {
    put32(address, 0, key[word]);
    return vrf.inet.lookup(address, 0);
  }
  for (let w = 0; w < 4; w++) put32(address, 4 * w, key[word + w]);
  return vrf.inet6.lookup(address, 0);
}

/** Which fat-flow rules folded a key: nobody's, those of the interface the packet comes from, those of the one it goes to. */
export const FOLDED = { not: 0, bySender: 1, byReceiver: 2 } as const;

/** Folds a key by the rules of the interface it comes from. */
export function foldBySender(key: FlowKey, from: Vif): number {
  return from.fatFlows?.mask(key, true) ? FOLDED.bySender : FOLDED.not;
}

/** Folds a key by the rules of the interface its destination is routed to, in the view of the guest there. */
export function foldByReceiver(tables: Tables, key: FlowKey, from: Vif): number {
  return receiverOf(tables, key, from)?.fatFlows?.mask(key, false) ? FOLDED.byReceiver : FOLDED.not;
}

/** The same for the key of the answers, by whoever's rules folded the key. `real` is the key as it was in the packet. */
export function foldAnswer(tables: Tables, answer: FlowKey, folded: number, real: FlowKey, from: Vif): void {
  if (folded === FOLDED.bySender) from.fatFlows?.mask(answer, false);
  else if (folded === FOLDED.byReceiver) receiverOf(tables, real, from)?.fatFlows?.mask(answer, true);
}

function receiverOf(tables: Tables, key: FlowKey, from: Vif): Vif | undefined {
  const vrf = tables.vrfs[from.vrf];
  if (!vrf) return undefined;
  const nexthop = tables.nexthops.get(routeOf(vrf, key, FLOW.destination).nexthop);
  return nexthop?.type === NH_TYPE.encap ? tables.vifs.get(nexthop.oif) : undefined;
}
