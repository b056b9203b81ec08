import type { InetFamily } from '../control/dumps.js';
import type { FlowDump, FlowEnd, FlowNames } from '../control/flow-dumps.js';
import { prefixWords, wordMask } from '../tables/address-words.js';
import { FLOW, type FlowTable } from '../tables/flow.js';
import type { FatFlowPrefix } from '../tables/records.js';
import { flowAddressBytes } from '../tables/flow-text.js';
import type { Tables } from '../tables/tables.js';

/** Bits of addresses. */
const BITS = { inet: 32, inet6: 128 } as const;
const ICMP = 1;
const ICMPV6 = 58;

/**
 * Tells the names behind the numbers of flows, by the routes and interfaces of now. Made for one listing: what it looked up it
 * remembers.
 */
export class FlowNamer {
  readonly #table: FlowTable;
  readonly #tables: Tables;
  readonly #nameOf: (vif: number) => string | undefined;
  readonly #vmis = new Map<number, string | null>();
  readonly #networks = new Map<number, string>();

  /** @param nameOf full name of the interface behind a vif. */
  constructor(table: FlowTable, tables: Tables, nameOf: (vif: number) => string | undefined) {
    this.#table = table;
    this.#tables = tables;
    this.#nameOf = nameOf;
    for (const vrf of tables.vrfs) if (vrf) this.#networks.set(vrf.record.network, vrf.record.name);
  }

  /** Names for the entry `flow` is a dump of. */
  namesOf(flow: FlowDump): FlowNames {
    const { decidedBy } = flow;
    const acl = decidedBy ? this.#tables.acls[decidedBy.acl] : undefined;
    return {
      source: this.#end(flow, FLOW.source, flow.vrf),
      destination: this.#end(flow, FLOW.destination, flow.destinationVrf ?? flow.vrf),
      rule: decidedBy && acl && decidedBy.rule < acl.record.rules.length ? acl.record.rules[decidedBy.rule].name : null,
    };
  }

  #end(flow: FlowDump, side: number, vrf: number): FlowEnd {
    const bytes = flowAddressBytes(this.#table.words, this.#table.at(flow.index), side);
    const prefixLength = flow.fat ? this.#keptBits(flow, side) : BITS[flow.family];
    const table = this.#tables.vrfs[vrf]?.[flow.family];
    if (!table || prefixLength === 0) return { vmi: null, network: null, prefixLength };
    const { record } = table.lookup(bytes, 0);
    const network = this.#networks.get(record.network) ?? null;
    const whole = prefixLength === BITS[flow.family];
    return { vmi: whole ? this.#vmiBehind(record.nexthop) : null, network, prefixLength };
  }

  /** Bits of an address in the key of a fat flow: the rules of the interfaces at its ends say where it is folded. */
  #keptBits({ index, reverse, vif, protocol, family }: FlowDump, side: number): number {
    const { words } = this.#table;
    const at = this.#table.at(index) + side;
    if (words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0 && words[at + 3] === 0) return 0;
    const other = reverse === null ? 0xffff : words[this.#table.at(reverse) + FLOW.owner] & 0xffff;
    for (const owner of [vif ?? 0xffff, other]) {
      for (const rule of this.#tables.vifs.get(owner)?.record.fatFlows ?? []) {
        if (rule.protocol !== (protocol === ICMPV6 ? ICMP : protocol)) continue;
        for (const fold of [rule.source, rule.destination])
          if (fold !== null && isFolded(words, at, family, fold)) return fold.aggregate;
      }
    }
    return BITS[family];
  }

  #vmiBehind(nexthop: number): string | null {
    const known = this.#vmis.get(nexthop);
    if (known !== undefined) return known;
    const oif = this.#tables.nexthops.get(nexthop)?.oif ?? -1;
    const name = oif < 0 ? null : (this.#nameOf(oif) ?? null);
    this.#vmis.set(nexthop, name);
    return name;
  }
}

/** Whether the address at `at` is one that a rule folds addresses to. */
function isFolded(
  words: Int32Array,
  at: number,
  family: InetFamily,
  { prefix, length, aggregate }: FatFlowPrefix,
): boolean {
  const { first, family: ruleFamily } = prefixWords(`${prefix}/${length}`);
  if (ruleFamily !== (family === 'inet' ? 4 : 6)) return false;
  for (let w = 0; w < 4; w++) {
    if ((words[at + w] & wordMask(length, w)) !== first[w]) return false;
    if ((words[at + w] & ~wordMask(aggregate, w)) !== 0) return false;
  }
  return true;
}
