import { FRAGMENT } from '../packet/packet.js';
import { NH_ID } from '../tables/records.js';
import * as ethernet from '../wire/ethernet.js';
import type { Datapath } from './datapath.js';
import { packetKey } from './flow-key.js';
import { countPacket } from './flow-pair.js';
import { isIcmpError } from './icmp-error.js';
import { ipEnd, parse, parseEthernet } from './parse.js';

/** Bytes an upper header has at least that a key is read from. */
const HEADER = 8;

/**
 * Counts the agent's frame in hand in the session it answers, if there is one: as gateway the agent is one end of it. What the agent
 * sends is not held to any policy, and begins no session.
 */
export function countFromAgent(dp: Datapath): void {
  const { p, b, flow } = dp;
  if (!parseEthernet(dp) || p.tagged || ethernet.isMulticast(b, p.at) || !parse(dp) || p.protocol < 0) return;
  if (p.fragment !== FRAGMENT.none || isIcmpError(dp) || p.l4At + HEADER > ipEnd(dp)) return;
  if (!packetKey(dp, NH_ID.agent)) return;
  const index = flow.table.find(flow.real);
  if (index >= 0) countPacket(dp, index);
}
