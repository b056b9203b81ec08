import { VRF_STAT } from '../tables/counters.js';
import type { Nexthop } from '../tables/nexthop.js';
import { NH_TYPE, ROUTE_FLAG, VIF_ID } from '../tables/records.js';
import type { Route, Vrf } from '../tables/vrf.js';
import * as arp from '../wire/arp.js';
import { copy, equal } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv6 from '../wire/ipv6.js';
import * as nd from '../wire/nd.js';
import { bridgeInput, flood } from './bridge.js';
import type { Datapath } from './datapath.js';
import { advertise, isSound } from './nd.js';
import { toNexthop } from './nexthop.js';
import { answerToTunnel } from './fabric-answer.js';
import { ANSWER, STEP } from './tracer.js';

/*
 * Frames of other hosts. They go on to the interfaces of this host alone. Nothing in them is for the agent: every host is gateway and
 * DHCP server of its own guests. Who asks for an address has not been answered by the host it is on, so that it is answered here only
 * for guests that are here; else the guests are asked (tf-vrouter dp-core/vr_proto_ip.c, vr_arp).
 */

/**
 * A frame of another host goes on in its network; openFrame has read its headers.
 * @param tree whom it was sent to, when its sender's host has said that everybody gets it; else null.
 */
export function fabricFrame(dp: Datapath, vrf: Vrf, tree: Nexthop | null): void {
  const { p, b, tables } = dp;
  if (!p.tagged) {
    if (p.etherType === ethernet.TYPE_ARP && arpInput(dp, vrf)) return;
    if (p.protocol === ipv6.PROTOCOL_ICMPV6 && neighbourInput(dp, vrf)) return;
  }
  if (ethernet.isMulticast(b, p.at)) {
    if (tree) toNexthop(dp, tree);
    else flood(dp, vrf.fabric);
    return;
  }
  if (tree && tables.bridge.find(vrf.record.id, b, p.at + ethernet.DST) < 0) return toNexthop(dp, tree);
  bridgeInput(dp, vrf.fabric);
}

/** What becomes of a question for an address. */
const ASKED = { flooded: 0, answered: 1, dropped: 2 } as const;

/** Whether the ARP packet in hand is gone. */
function arpInput(dp: Datapath, vrf: Vrf): boolean {
  const { p, b } = dp;
  if (!arp.fits(p.l3At, p.end) || !arp.isEthernetIpv4(b, p.l3At)) return drop(dp);
  if (arp.operation(b, p.l3At) !== arp.REQUEST)
    return !mayAnswer(dp, vrf.inet.lookup(b, p.l3At + arp.SENDER_IP)) && drop(dp);
  const sender = arp.senderIp(b, p.l3At);
  if (sender === 0 || sender === arp.targetIp(b, p.l3At)) return announced(dp);
  const route = vrf.inet.lookup(b, p.l3At + arp.TARGET_IP);
  dp.tracer?.step(STEP.route, route.record.length, route.nexthop, p.l3At + arp.TARGET_IP - p.at, route.flags);
  const asked = ask(dp, route);
  if (asked === ASKED.flooded) return false;
  if (asked === ASKED.dropped || !route.stitchedMac) return drop(dp);
  arp.turnIntoReply(b, p.l3At, route.stitchedMac);
  copy(b, p.at + ethernet.SRC, p.at + ethernet.DST, ethernet.ADDRESS_LEN);
  ethernet.putAddress(b, p.at + ethernet.SRC, route.stitchedMac);
  answerToTunnel(dp, vrf);
  return true;
}

/** Whether the ICMPv6 packet in hand is of neighbour discovery, and gone. */
function neighbourInput(dp: Datapath, vrf: Vrf): boolean {
  const { p, b } = dp;
  if (p.etherType !== ethernet.TYPE_IPV6 || p.l4At !== p.l3At + ipv6.LEN || !icmpv6.fits(p.l4At, p.end)) return false;
  const type = icmpv6.type(b, p.l4At);
  if (type !== nd.NEIGHBOUR_SOLICITATION && type !== nd.NEIGHBOUR_ADVERTISEMENT) return false;
  const targetAt = p.l4At + nd.TARGET;
  if (!isSound(dp)) return drop(dp);
  const route = vrf.inet6.lookup(b, targetAt);
  if (type === nd.NEIGHBOUR_ADVERTISEMENT) return !mayAnswer(dp, route) && drop(dp);
  const sourceAt = p.l3At + ipv6.SRC;
  if (ipv6.isUnspecified(b, sourceAt) || equal(b, sourceAt, b, targetAt, ipv6.ADDRESS_LEN)) return announced(dp);
  dp.tracer?.step(STEP.route, route.record.length, route.nexthop, targetAt - p.at, route.flags);
  const asked = ask(dp, route);
  if (asked === ASKED.flooded) return false;
  if (asked === ASKED.dropped || !route.stitchedMac) return drop(dp);
  advertise(dp, route.stitchedMac);
  answerToTunnel(dp, vrf);
  return true;
}

function announced(dp: Datapath): boolean {
  dp.tracer?.step(STEP.neighbour, ANSWER.announcement);
  return false;
}

/** Who answers for the address a route leads to, when another host's guest asks; counts it. */
function ask(dp: Datapath, route: Route): number {
  const isProxied = (route.flags & ROUTE_FLAG.proxy) !== 0;
  if (!isProxied || (!route.stitchedMac && (route.flags & ROUTE_FLAG.flood) !== 0)) {
    dp.vrfStat(VRF_STAT.arpPhysicalFloods);
    dp.tracer?.step(STEP.neighbour, ANSWER.owner);
    return ASKED.flooded;
  }
  const nexthop = dp.tables.nexthops.get(route.nexthop);
  const isHere = nexthop?.type === NH_TYPE.encap && nexthop.oif >= VIF_ID.firstVirtual;
  if (!isHere || !route.stitchedMac) return ASKED.dropped;
  dp.vrfStat(VRF_STAT.arpPhysicalStitchs);
  dp.tracer?.step(STEP.neighbour, ANSWER.stitched);
  return ASKED.answered;
}

/**
 * Whether an answer to a guest, which says where the address of `route` is, may reach it: not when its own host answers for that
 * address, and with another MAC. Else whoever is outside could take it over.
 */
function mayAnswer({ p, b }: Datapath, route: Route): boolean {
  if (ethernet.isMulticast(b, p.at) || (route.flags & ROUTE_FLAG.proxy) === 0 || !route.stitchedMac) return true;
  return equal(b, p.at + ethernet.SRC, route.stitchedMac, 0, ethernet.ADDRESS_LEN);
}

function drop(dp: Datapath): true {
  dp.drop('invalidArp');
  return true;
}
