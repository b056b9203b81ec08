import { FLOW, FLOW_ACTION, FLOW_DOUBLE, FLOW_FLAG, type FlowTable, newFlowKey } from '../tables/flow.js';
import { addressWords } from '../tables/address-words.js';

/** A flow as a test describes it. */
export interface FlowSpec {
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly keyNexthop?: number;
  readonly vrf?: number;
  /** FLOW_ACTION, FLOW_FLAG bits beside `active`, FLOW_DROP code. */
  readonly action?: number;
  readonly flags?: number;
  readonly dropReason?: number;
  /** TCP_FLAG bits. */
  readonly tcp?: number;
  readonly packets?: number;
  readonly bytes?: number;
  readonly created?: number;
  readonly lastSeen?: number;
  /** The whole word: interface and FLOW_OWN bits. */
  readonly owner?: number;
  readonly source1?: number;
  /** The whole word: port, TTL, ECMP member. */
  readonly outer?: number;
  readonly rpfNexthop?: number;
  readonly rule?: number;
}

/** Writes an entry as the datapath would; returns its index. */
export function addFlow(table: FlowTable, spec: FlowSpec): number {
  const key = newFlowKey();
  key[FLOW.protocol] = ((spec.source.includes(':') ? 6 : 4) << 8) | spec.protocol;
  key[FLOW.ports] = (spec.sourcePort << 16) | spec.destinationPort;
  key[FLOW.keyNh] = spec.keyNexthop ?? 122;
  key.set(addressWords(spec.source), FLOW.source);
  key.set(addressWords(spec.destination), FLOW.destination);
  const index = table.insert(key);
  const { words, doubles } = table;
  const at = table.at(index);
  const action = spec.action ?? FLOW_ACTION.forward;
  words[at + FLOW.state] = FLOW_FLAG.active | (spec.flags ?? 0) | (action << 16) | ((spec.dropReason ?? 0) << 24);
  words[at + FLOW.vrf] = spec.vrf ?? 8;
  words[at + FLOW.tcp] |= spec.tcp ?? 0;
  words[at + FLOW.outer] = spec.outer ?? 0xff << 24;
  words[at + FLOW.owner] = spec.owner ?? 16;
  words[at + FLOW.source1] = spec.source1 ?? 16;
  words[at + FLOW.rpfNh] = spec.rpfNexthop ?? -1;
  words[at + FLOW.rule] = spec.rule ?? -1;
  const doubleAt = table.doubleAt(index);
  doubles[doubleAt + FLOW_DOUBLE.packets] = spec.packets ?? 1;
  doubles[doubleAt + FLOW_DOUBLE.bytes] = spec.bytes ?? 60;
  doubles[doubleAt + FLOW_DOUBLE.created] = spec.created ?? 1000;
  doubles[doubleAt + FLOW_DOUBLE.lastSeen] = spec.lastSeen ?? 1000;
  return index;
}

/** Makes two entries name each other. */
export function pairFlows(table: FlowTable, a: number, b: number): void {
  table.words[table.at(a) + FLOW.reverse] = b;
  table.words[table.at(b) + FLOW.reverse] = a;
}
