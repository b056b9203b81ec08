import { type Acl, AclQuery } from '../tables/acl.js';
import { FLOW, FLOW_ACTION, FLOW_DROP, type FlowKey, NO_MIRRORS, RPF_SENDER, withMirror } from '../tables/flow.js';
import type { Nexthop } from '../tables/nexthop.js';
import { FABRIC_NETWORK, NH_ID, NH_TYPE, type RuleMirrorRecord, VIF_ID, VIF_TYPE } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import type { Vif } from '../tables/vif.js';
import type { Route, Vrf } from '../tables/vrf.js';
import { hasPorts } from '../wire/ip-protocol.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { routeOf } from './flow-key.js';

/** What was decided for a session. One object serves all, one after the other. */
export class FlowDecision {
  action: number = FLOW_ACTION.drop;
  reason: number = FLOW_DROP.unknown;
  /** Whether the pair is to be removed soon, so that the session is decided anew. */
  short = false;
  /** ACL << 16 | rule that decided; -1: none. */
  rule = -1;
  /** Mirrors of both directions, as FLOW.mirrors has them. */
  mirrors = NO_MIRRORS;
  answerMirrors = NO_MIRRORS;
  /** S(nh) of both directions; 0: packets may come from anywhere; of the forward one also RPF_SENDER. */
  rpfNh = 0;
  answerRpfNh = 0;
  /** Interface of this host it goes to, -1: none; whether the destination MAC says so, and no route. */
  destination = -1;
  byMac = false;
  /** VRF the answers are looked up in. */
  destinationVrf = 0;
  /** K(nh) of the answers. */
  answerKeyNh = 0;
  readonly query = new AclQuery();
  /** Access lists that were asked, for those who trace: list, and the rule that decided (-1: none) each. */
  readonly asked = new Int32Array(2 * 6);
  askedCount = 0;

  /** Everything passes, to where the MAC says. */
  begin(from: Vif, key: FlowKey, byMac: number): void {
    this.action = FLOW_ACTION.forward;
    this.reason = FLOW_DROP.unknown;
    this.short = false;
    this.rule = -1;
    this.mirrors = this.answerMirrors = NO_MIRRORS;
    this.askedCount = 0;
    this.rpfNh = this.answerRpfNh = 0;
    this.destination = byMac;
    this.byMac = false;
    this.destinationVrf = from.vrf;
    this.answerKeyNh = key[FLOW.keyNh];
  }

  /** Packets are copied, besides those mirrors that rules before it named. */
  mirror(mirrors: readonly RuleMirrorRecord[]): void {
    for (let i = 0; i < mirrors.length; i++) {
      const { mirror, forward, reverse } = mirrors[i];
      if (forward) this.mirrors = withMirror(this.mirrors, mirror);
      if (reverse) this.answerMirrors = withMirror(this.answerMirrors, mirror);
    }
  }

  /** Nothing passes. */
  drop(reason: number, short: boolean): void {
    this.action = FLOW_ACTION.drop;
    this.reason = reason;
    this.short = short;
  }
}

/**
 * Decides a session from its first packet's key, as it is in the packet: routes of both ends, whether its source may send it, and
 * the policies.
 * @param from interface it came in by.
 * @param byMac interface the destination MAC leads to; -1: it is routed, or the MAC is unknown.
 * @param icmp type << 8 | code of the first packet, where it is ICMP.
 */
export function decide(tables: Tables, from: Vif, key: FlowKey, byMac: number, icmp: number, d: FlowDecision): void {
  d.begin(from, key, byMac);
  const vrf = tables.vrfs[from.vrf];
  if (!vrf) return d.drop(FLOW_DROP.vrfErr, true);
  const source = routeOf(vrf, key, FLOW.source);
  const destination = routeOf(vrf, key, FLOW.destination);
  const sourceNh = tables.nexthops.get(source.nexthop);
  const destinationNh = tables.nexthops.get(destination.nexthop);
  locate(tables, destinationNh, d);
  const isHost = isOfHost(tables, from, key, source, sourceNh);
  if (isEnforced(vrf, from)) {
    if (isHost) d.rpfNh = RPF_SENDER;
    else if (leadsSomewhere(sourceNh)) d.rpfNh = sourceNh.id;
    else return d.drop(FLOW_DROP.noSrcRt, true);
  }
  const out = d.destination < 0 ? undefined : tables.vifs.get(d.destination);
  const outVrf = tables.vrfs[d.destinationVrf];
  const answerIsEnforced = out !== undefined && outVrf !== undefined && isEnforced(outVrf, out);
  if (!leadsSomewhere(destinationNh)) {
    // Somebody who may send from any address may also be sent to at any.
    if (!d.byMac || answerIsEnforced) return d.drop(FLOW_DROP.noDstRt, true);
  } else if (answerIsEnforced || isAnsweredFrom(destinationNh, vrf, d)) {
    d.answerRpfNh = destinationNh.id;
  }
  // What a host sends needs a rule that says so, where others need none.
  if (d.rpfNh === RPF_SENDER && (outVrf ?? vrf).record.acl < 0) return d.drop(FLOW_DROP.noSrcRt, true);
  if (isRestricted(vrf, outVrf, from, out)) {
    ask(d.query, key, icmp);
    d.query.sourceNetwork = isHost ? FABRIC_NETWORK : networkOf(source, vrf);
    d.query.sourceGroups = source.groups;
    d.query.destinationNetwork = networkOf(destination, outVrf ?? vrf);
    d.query.destinationGroups = destination.groups;
    restrict(tables, vrf, outVrf, from, out, d);
  }
}

/** Whether answers may only come from where a nexthop leads that is of no guest of this host. */
function isAnsweredFrom(nexthop: Nexthop, vrf: Vrf, d: FlowDecision): boolean {
  if (nexthop.type === NH_TYPE.tunnel) return vrf.record.rpf;
  return d.destination < 0 || d.destination === VIF_ID.agent;
}

/** Finds the interface and the VRF it goes to, and the nexthop its answers are looked up by. */
function locate(tables: Tables, nexthop: Nexthop | undefined, d: FlowDecision): void {
  const routed = nexthop?.type === NH_TYPE.encap ? nexthop.oif : -1;
  if (d.destination < 0) d.destination = routed;
  else d.byMac = d.destination !== routed;
  if (d.destination < 0) return;
  if (d.destination === VIF_ID.agent) {
    d.answerKeyNh = NH_ID.agent;
    return;
  }
  const out = tables.vifs.get(d.destination);
  if (!out) return;
  d.destinationVrf = out.vrf;
  if (out.policy) d.answerKeyNh = out.nexthop;
}

/** Whether what the interface sends from must be its own; of the underlay's, what comes from another host must be that host's. */
const isEnforced = (vrf: Vrf, vif: Vif): boolean => vrf.record.rpf && (vif.isChecked || vif.type === VIF_TYPE.physical);

/**
 * Whether its source is another host itself, as of what that host's policies mirror: an address tunnels come from that is nobody's in the
 * network, or at most reached through the underlay. That the host it came from is that one, each packet shows.
 */
const isOfHost = ({ peers }: Tables, from: Vif, key: FlowKey, source: Route, nexthop: Nexthop | undefined): boolean =>
  from.type === VIF_TYPE.physical &&
  (source.network === FABRIC_NETWORK || !leadsSomewhere(nexthop)) &&
  peers.findWords(key, FLOW.source) >= 0;

const leadsSomewhere = (nexthop: Nexthop | undefined): nexthop is Nexthop =>
  nexthop !== undefined && nexthop.type !== NH_TYPE.discard && nexthop.type !== NH_TYPE.dead;

/** An address without a route is taken for one of the network its guest is in. */
const networkOf = (route: Route, vrf: Vrf): number => (route.network === 0 ? vrf.record.network : route.network);

function isRestricted(vrf: Vrf, outVrf: Vrf | undefined, from: Vif, out: Vif | undefined): boolean {
  const networks = vrf.record.acl >= 0 || (outVrf !== undefined && outVrf.record.acl >= 0);
  return networks || from.egressAcl >= 0 || (out !== undefined && out.ingressAcl >= 0);
}

function ask(query: AclQuery, key: FlowKey, icmp: number): void {
  const protocol = key[FLOW.protocol] & 0xff;
  query.family = key[FLOW.protocol] >>> 8;
  query.protocol = protocol;
  query.sourcePort = query.destinationPort = 0;
  if (hasPorts(protocol)) {
    query.sourcePort = key[FLOW.ports] >>> 16;
    query.destinationPort = key[FLOW.ports] & 0xffff;
  } else if (protocol === ipv4.PROTOCOL_ICMP || protocol === ipv6.PROTOCOL_ICMPV6) {
    query.sourcePort = icmp >>> 8;
    query.destinationPort = icmp & 0xff;
  }
  for (let w = 0; w < 4; w++) {
    query.source[w] = key[FLOW.source + w];
    query.destination[w] = key[FLOW.destination + w];
  }
}

/** Asks the policies of both networks and the security groups of both ends; all must let it pass. */
function restrict(
  tables: Tables,
  vrf: Vrf,
  outVrf: Vrf | undefined,
  from: Vif,
  out: Vif | undefined,
  d: FlowDecision,
): void {
  const { acls } = tables;
  if (from.policy && !passes(acls, vrf.record.acl, d)) return d.drop(FLOW_DROP.policy, false);
  if (outVrf && (outVrf !== vrf || !from.policy) && !passes(acls, outVrf.record.acl, d))
    return d.drop(FLOW_DROP.outPolicy, false);
  if (from.policy && !passes(acls, from.egressAcl, d)) return d.drop(FLOW_DROP.sg, false);
  if (out?.policy && !passes(acls, out.ingressAcl, d)) d.drop(FLOW_DROP.outSg, false);
}

/** Whether a list lets it pass, and the one behind it. */
function passes(acls: readonly (Acl | undefined)[], id: number, d: FlowDecision): boolean {
  let next = id;
  while (next >= 0) {
    const acl = acls[next];
    if (!acl) return true;
    if (!allows(acl, next, d)) return false;
    next = acl.next;
  }
  return true;
}

/** Notes the rule that refuses, or the first that lets pass; and whom all that decide have packets copied to, those that refuse, too. */
function allows(acl: Acl, id: number, d: FlowDecision): boolean {
  const rule = acl.match(d.query);
  const pass = acl.passes(rule);
  d.asked[2 * d.askedCount] = id;
  d.asked[2 * d.askedCount++ + 1] = rule;
  if (rule >= 0) d.mirror(acl.record.rules[rule].mirrors);
  if (!pass) d.rule = rule < 0 ? -1 : (id << 16) | rule;
  else if (d.rule < 0 && rule >= 0) d.rule = (id << 16) | rule;
  return pass;
}
