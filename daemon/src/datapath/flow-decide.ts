import { FLOW, FLOW_ACTION, FLOW_DROP, type FlowKey } from '../tables/flow.js';
import type { Nexthop } from '../tables/nexthop.js';
import { NH_ID, NH_TYPE, VIF_ID } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import type { Vif } from '../tables/vif.js';
import type { Route, Vrf } from '../tables/vrf.js';
import { addressOf, isIpv4Key } from './flow-key.js';

/** What was decided for a session. One object serves all, one after the other. */
export class FlowDecision {
  action: number = FLOW_ACTION.drop;
  reason: number = FLOW_DROP.unknown;
  /** Whether the pair is to be removed soon, so that the session is decided anew. */
  short = false;
  /** ACL << 16 | rule that decided; -1: none. */
  rule = -1;
  /** S(nh) of both directions; 0: packets may come from anywhere. */
  rpfNh = 0;
  answerRpfNh = 0;
  /** Interface of this host it goes to, -1: none; whether the destination MAC says so, and no route. */
  destination = -1;
  byMac = false;
  /** VRF the answers are looked up in. */
  destinationVrf = 0;
  /** K(nh) of the answers. */
  answerKeyNh = 0;
  readonly address = new Uint8Array(16);

  /** Everything passes, to where the MAC says. */
  begin(from: Vif, key: FlowKey, byMac: number): void {
    this.action = FLOW_ACTION.forward;
    this.reason = FLOW_DROP.unknown;
    this.short = false;
    this.rule = -1;
    this.rpfNh = this.answerRpfNh = 0;
    this.destination = byMac;
    this.byMac = false;
    this.destinationVrf = from.vrf;
    this.answerKeyNh = key[FLOW.keyNh];
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
 */
export function decide(tables: Tables, from: Vif, key: FlowKey, byMac: number, d: FlowDecision): void {
  d.begin(from, key, byMac);
  const vrf = tables.vrfs[from.vrf];
  if (!vrf) return d.drop(FLOW_DROP.vrfErr, true);
  const source = routeOf(vrf, key, FLOW.source, d.address);
  const destination = routeOf(vrf, key, FLOW.destination, d.address);
  const sourceNh = tables.nexthops.get(source.nexthop);
  const destinationNh = tables.nexthops.get(destination.nexthop);
  locate(tables, destinationNh, d);
  if (isEnforced(vrf, from)) {
    if (!leadsSomewhere(sourceNh)) return d.drop(FLOW_DROP.noSrcRt, true);
    d.rpfNh = sourceNh.id;
  }
  const out = d.destination < 0 ? undefined : tables.vifs.get(d.destination);
  const outVrf = tables.vrfs[d.destinationVrf];
  const answerIsEnforced = out !== undefined && outVrf !== undefined && isEnforced(outVrf, out);
  if (!leadsSomewhere(destinationNh)) {
    // Somebody who may send from any address may also be sent to at any.
    if (!d.byMac || answerIsEnforced) return d.drop(FLOW_DROP.noDstRt, true);
  } else if (answerIsEnforced || d.destination < 0 || d.destination === VIF_ID.agent) {
    d.answerRpfNh = destinationNh.id;
  }
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

/** Whether what the interface sends from must be its own. */
const isEnforced = (vrf: Vrf, vif: Vif): boolean => vif.policy && vif.portSecurity && vrf.record.rpf;

const leadsSomewhere = (nexthop: Nexthop | undefined): nexthop is Nexthop =>
  nexthop !== undefined && nexthop.type !== NH_TYPE.discard && nexthop.type !== NH_TYPE.dead;

function routeOf(vrf: Vrf, key: FlowKey, word: number, address: Uint8Array): Route {
  addressOf(key, word, address);
  return isIpv4Key(key) ? vrf.inet.lookup(address, 0) : vrf.inet6.lookup(address, 0);
}
