import { FLOW, FLOW_DOUBLE, FLOW_FLAG, FLOW_OWN, type FlowTable, NO_MIRROR } from '../tables/flow.js';
import { formatIpv4, formatIpv6 } from '../wire/addr.js';
import { put32 } from '../wire/bytes.js';

/** A flow entry, as tests look at it. */
export interface Entry {
  readonly index: number;
  readonly reverse: number;
  readonly keyNh: number;
  readonly source: string;
  readonly destination: string;
  readonly ports: readonly [number, number];
  readonly action: number;
  readonly reason: number;
  readonly rpfNh: number;
  readonly vrfs: readonly [number, number];
  readonly rule: number;
  readonly tcp: number;
  readonly packets: number;
  readonly bytes: number;
  readonly own: number;
  readonly source1: number;
  readonly outerPort: number;
  /** By index, the first first. */
  readonly mirrors: readonly number[];
  /** Whether its flags say it has any. */
  readonly isMirrored: boolean;
}

/** All entries in use, by index. */
export function entries({ flows }: { readonly flows: FlowTable }): Entry[] {
  const found: Entry[] = [];
  for (let index = 0; index < flows.size; index++) {
    if (!flows.isUsed(index)) continue;
    const at = flows.at(index);
    const word = (w: number): number => flows.words[at + w];
    found.push({
      index,
      reverse: word(FLOW.reverse),
      keyNh: word(FLOW.keyNh),
      source: address(flows, at + FLOW.source, word(FLOW.protocol)),
      destination: address(flows, at + FLOW.destination, word(FLOW.protocol)),
      ports: [word(FLOW.ports) >>> 16, word(FLOW.ports) & 0xffff],
      action: (word(FLOW.state) >>> 16) & 0xff,
      reason: word(FLOW.state) >>> 24,
      rpfNh: word(FLOW.rpfNh),
      vrfs: [word(FLOW.vrf) & 0xffff, word(FLOW.vrf) >>> 16],
      rule: word(FLOW.rule),
      tcp: word(FLOW.tcp) & 0x1ff,
      packets: flows.doubles[flows.doubleAt(index) + FLOW_DOUBLE.packets],
      bytes: flows.doubles[flows.doubleAt(index) + FLOW_DOUBLE.bytes],
      own: word(FLOW.owner) >>> 16,
      source1: word(FLOW.source1),
      outerPort: word(FLOW.outer) & 0xffff,
      mirrors: [word(FLOW.mirrors) & 0xffff, word(FLOW.mirrors) >>> 16].filter((mirror) => mirror !== NO_MIRROR),
      isMirrored: (word(FLOW.state) & FLOW_FLAG.mirror) !== 0,
    });
  }
  return found;
}

/** Both entries of the only session there is, the forward one first. */
export function pair(net: { readonly flows: FlowTable }): [Entry, Entry] {
  const all = entries(net);
  if (all.length !== 2) throw new Error(`${all.length} entries`);
  const [one, other] = all;
  return (one.own & FLOW_OWN.forward) !== 0 ? [one, other] : [other, one];
}

function address({ words }: FlowTable, at: number, protocol: number): string {
  if (protocol >>> 8 === 4) return formatIpv4(words[at] >>> 0);
  const bytes = new Uint8Array(16);
  for (let w = 0; w < 4; w++) put32(bytes, 4 * w, words[at + w]);
  return formatIpv6(bytes);
}
