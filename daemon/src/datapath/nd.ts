import { PUNT } from '../tables/punt.js';
import { ROUTE_FLAG } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import { copy, equal, put16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv6 from '../wire/ipv6.js';
import * as nd from '../wire/nd.js';
import { answeringMac } from './arp.js';
import { bridgeInput, flood } from './bridge.js';
import type { Datapath } from './datapath.js';
import { copyToAgent, toAgent } from './trap.js';
import { ANSWER, STEP } from './tracer.js';
import { answer } from './vif-output.js';

/**
 * Neighbour discovery from a guest (RFC 4861), decided like ARP. On entry parse() has accepted the packet. Returns whether the
 * frame is gone; everything that is not neighbour discovery goes on, and so does what came in fragments (RFC 6980).
 */
export function ndInput(dp: Datapath, vif: Vif): boolean {
  const { p, b } = dp;
  if (p.protocol !== ipv6.PROTOCOL_ICMPV6 || p.etherType !== ethernet.TYPE_IPV6) return false;
  if (p.l4At !== p.l3At + ipv6.LEN || !icmpv6.fits(p.l4At, p.end)) return false;
  switch (icmpv6.type(b, p.l4At)) {
    case nd.ROUTER_SOLICITATION:
      toAgent(dp, vif, PUNT.l3);
      return true;
    case nd.NEIGHBOUR_SOLICITATION:
      solicitation(dp, vif);
      return true;
    case nd.NEIGHBOUR_ADVERTISEMENT:
      advertisement(dp, vif);
      return true;
    default:
      return false;
  }
}

/** Whether the message in hand may be believed (RFC 4861 section 7.1). */
export function isSound(dp: Datapath): boolean {
  const { p, b } = dp;
  return nd.fits(p.l4At, p.end) && icmpv6.code(b, p.l4At) === 0 && ipv6.hopLimit(b, p.l3At) === nd.HOP_LIMIT;
}

function solicitation(dp: Datapath, vif: Vif): void {
  const { p, b } = dp;
  const vrf = dp.tables.vrfs[vif.vrf];
  const targetAt = p.l4At + nd.TARGET;
  if (!vrf || !isSound(dp) || b[targetAt] === 0xff) return dp.drop('invalidArp');
  const route = vrf.inet6.lookup(b, targetAt);
  dp.tracer?.step(STEP.route, route.record.length, route.nexthop, targetAt - p.at, route.flags);
  const sourceAt = p.l3At + ipv6.SRC;
  if (ipv6.isUnspecified(b, sourceAt) || equal(b, sourceAt, b, targetAt, 16)) {
    dp.tracer?.step(STEP.neighbour, ANSWER.announcement);
    if ((route.flags & ROUTE_FLAG.trap) !== 0) copyToAgent(dp, vif, PUNT.arp);
    return flood(dp, vif);
  }
  const mac = answeringMac(dp, vif, route);
  if (!mac) return bridgeInput(dp, vif);

  advertise(dp, mac);
  answer(dp, vif);
}

const ADVERTISEMENT_LEN = nd.NEIGHBOUR_LEN + nd.MAC_OPTION_LEN;
const ADVERTISEMENT_FRAME = ethernet.LEN + ipv6.LEN + ADVERTISEMENT_LEN;

/** Replaces the solicitation in hand by the advertisement that says its target is at `mac`. */
export function advertise(dp: Datapath, mac: Uint8Array): void {
  const { p, b } = dp;
  const at = dp.scratch(ADVERTISEMENT_FRAME);
  const l3At = at + ethernet.LEN;
  const l4At = l3At + ipv6.LEN;
  copy(b, p.at + ethernet.SRC, at + ethernet.DST, ethernet.ADDRESS_LEN);
  ethernet.putAddress(b, at + ethernet.SRC, mac);
  put16(b, at + ethernet.TYPE, ethernet.TYPE_IPV6);
  copy(b, p.l3At, l3At, ipv6.LEN + nd.NEIGHBOUR_LEN);
  put16(b, l3At + ipv6.PAYLOAD_LENGTH, ADVERTISEMENT_LEN);
  copy(b, p.l4At + nd.TARGET, l3At + ipv6.SRC, ipv6.ADDRESS_LEN);
  copy(b, p.l3At + ipv6.SRC, l3At + ipv6.DST, ipv6.ADDRESS_LEN);
  nd.turnIntoAdvertisement(b, l4At, nd.SOLICITED | nd.OVERRIDE);
  nd.writeMacOption(b, l4At + nd.NEIGHBOUR_LEN, nd.OPTION_TARGET_MAC, mac);
  icmpv6.setChecksum(b, l3At, l4At, l4At + ADVERTISEMENT_LEN);
  p.at = at;
  p.end = at + ADVERTISEMENT_FRAME;
}

function advertisement(dp: Datapath, vif: Vif): void {
  const { p, b } = dp;
  if (!isSound(dp)) return dp.drop('invalidArp');
  if (equal(b, p.at + ethernet.DST, vif.mac, 0, 6)) return toAgent(dp, vif, PUNT.arp);
  if (ethernet.isMulticast(b, p.at)) copyToAgent(dp, vif, PUNT.arp);
  bridgeInput(dp, vif);
}
