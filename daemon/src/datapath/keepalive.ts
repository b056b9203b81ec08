import type { Nexthop } from '../tables/nexthop.js';
import { PUNT } from '../tables/punt.js';
import { NH_TYPE, VIF_ID } from '../tables/records.js';
import { put16, put32 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as keepalive from '../wire/keepalive.js';
import * as mpls from '../wire/mpls.js';
import * as udp from '../wire/udp.js';
import * as vnet from '../wire/vnet.js';
import { VNET_LEN } from '../io/device.js';
import type { Datapath } from './datapath.js';
import { toAgent } from './trap.js';
import { output } from './vif-output.js';

/** Requests answered a second, and at once. */
const RATE = 1000;
const BURST = 1000;

const { RESULT_CODE } = keepalive;

/**
 * Another host asks whether this one is there, or answers: [at, end) is what it has behind the label for it. On entry the frame in
 * hand is the whole one, from a host we know. What is no such message, or did not come over UDP, is not for anybody.
 */
export function keepaliveInput(dp: Datapath, at: number, end: number): void {
  const { p, b } = dp;
  const vif = dp.tables.vifs.get(p.vif);
  const outerAt = p.l3At + (p.etherType === ethernet.TYPE_IPV4 ? ipv4.headerLen(b, p.l3At) : ipv6.LEN);
  if (!vif || outerAt + udp.LEN + mpls.LEN !== at || !keepalive.fits(b, at, end)) return dp.drop('invalidPacket');
  if (keepalive.isAnswer(b, at)) return toAgent(dp, dp.fabric.answers, PUNT.routerAlert);
  if (!keepalive.isRequest(b, at)) return dp.drop('invalidPacket');
  if (!dp.keepalives.take(RATE, BURST, dp.now)) return dp.drop('ifRxDiscard');
  keepalive.turnIntoAnswer(b, at, probe(dp, at));
  p.end = at + keepalive.LEN;
  turnRound(dp, outerAt, at - mpls.LEN);
  vnet.clear(b, p.at - VNET_LEN);
  dp.answered();
  output(dp, vif);
}

/** What becomes of a packet like the one the request at `at` describes. */
function probe({ b, tables }: Datapath, at: number): number {
  if (keepalive.type(b, at) !== keepalive.PROBE) return RESULT_CODE.none;
  const number = keepalive.number(b, at);
  const id = keepalive.kind(b, at) === keepalive.KIND_VNI ? tables.vnis.get(number) : tables.labels.get(number);
  const nexthop = id < 0 ? undefined : tables.nexthops.get(id);
  const vrf = nexthop === undefined ? undefined : tables.vrfs[nexthop.vrf];
  if (!nexthop || !vrf) return RESULT_CODE.unknownLabel;
  const addressAt = keepalive.addressAt(at);
  const table = keepalive.family(b, at) === 4 ? vrf.inet : vrf.inet6;
  const found = tables.nexthops.get(table.lookup(b, addressAt).nexthop);
  if (!found || !isGuest(found)) return RESULT_CODE.unknownAddress;
  return isGuest(nexthop) && nexthop.oif !== found.oif ? RESULT_CODE.otherInterface : RESULT_CODE.reachable;
}

const isGuest = (nexthop: Nexthop): boolean => nexthop.type === NH_TYPE.encap && nexthop.oif >= VIF_ID.firstVirtual;

/** Turns the outer headers of the frame in hand round, whose UDP header is at `udpAt`. */
function turnRound(dp: Datapath, udpAt: number, mplsAt: number): void {
  const { p, b } = dp;
  swap(b, p.at + ethernet.DST, p.at + ethernet.SRC, ethernet.ADDRESS_LEN);
  mpls.write(b, mplsAt, keepalive.LABEL, 0, HOPS);
  put16(b, udpAt + udp.LENGTH, p.end - udpAt);
  put16(b, udpAt + udp.CHECKSUM, 0);
  if (p.etherType === ethernet.TYPE_IPV4) {
    swap(b, p.l3At + ipv4.SRC, p.l3At + ipv4.DST, 4);
    put16(b, p.l3At + ipv4.TOTAL_LENGTH, p.end - p.l3At);
    put32(b, p.l3At + ipv4.TTL, (HOPS << 24) | (ipv4.PROTOCOL_UDP << 16));
    put16(b, p.l3At + ipv4.CHECKSUM, checksum.checksum(b, p.l3At, udpAt));
    return;
  }
  swap(b, p.l3At + ipv6.SRC, p.l3At + ipv6.DST, ipv6.ADDRESS_LEN);
  put16(b, p.l3At + ipv6.PAYLOAD_LENGTH, p.end - udpAt);
  b[p.l3At + ipv6.HOP_LIMIT] = HOPS;
  udp.setChecksum6(b, p.l3At, udpAt, p.end);
}

const HOPS = 64;

function swap(b: Uint8Array, one: number, other: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const byte = b[one + i];
    b[one + i] = b[other + i];
    b[other + i] = byte;
  }
}
