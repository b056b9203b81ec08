import type { FlowEndpoint, FlowMatch } from '../control/flow-match.js';
import { addressWords } from '../tables/address-words.js';
import { FLOW, FLOW_FLAG, type FlowTable, TCP_FLAG } from '../tables/flow.js';

/** What `FlowFilter` compares: null is any. */
interface Side {
  readonly address: Int32Array | null;
  readonly port: number | null;
}

export interface FlowFilterOptions {
  /** null: every flow. */
  readonly match: FlowMatch | null;
  /** Whether evicted entries, and those of TCP sessions that are over, are wanted too. */
  readonly evicted: boolean;
}

/** Selects entries of the flow table by their words: a table of any size is gone through without an object for each entry. */
export class FlowFilter {
  readonly #words: Int32Array;
  readonly #table: FlowTable;
  readonly #evicted: boolean;
  readonly #protocol: number;
  readonly #vrf: number;
  readonly #sides: readonly Side[];
  /** Family the addresses are of; 0: either. */
  readonly #family: number;

  constructor(table: FlowTable, { match, evicted }: FlowFilterOptions) {
    this.#table = table;
    this.#words = table.words;
    this.#evicted = evicted;
    this.#protocol = match?.protocol ?? -1;
    this.#vrf = match?.vrf ?? -1;
    const endpoints = match?.endpoints ?? [];
    this.#sides = endpoints.map(sideOf);
    const text = endpoints.find(({ address }) => address !== null)?.address ?? null;
    if (text === null) this.#family = 0;
    else this.#family = text.includes(':') ? 6 : 4;
  }

  /** Whether there is an entry at this place, and it is wanted. */
  matches(index: number): boolean {
    const words = this.#words;
    const at = this.#table.at(index);
    const protocol = words[at + FLOW.protocol];
    if (protocol === 0) return false;
    if (!this.#evicted) {
      if ((words[at + FLOW.state] & FLOW_FLAG.evicted) !== 0) return false;
      if ((words[at + FLOW.tcp] & TCP_FLAG.dead) !== 0) return false;
    }
    if (this.#protocol >= 0 && (protocol & 0xff) !== this.#protocol) return false;
    if (this.#vrf >= 0 && (words[at + FLOW.vrf] & 0xffff) !== this.#vrf) return false;
    if (this.#family !== 0 && protocol >>> 8 !== this.#family) return false;
    return this.#matchesSides(at);
  }

  #matchesSides(at: number): boolean {
    const sides = this.#sides;
    if (sides.length === 0) return true;
    const [one] = sides;
    if (sides.length === 1) return this.#isSource(at, one) || this.#isDestination(at, one);
    const other = sides[1];
    return (
      (this.#isSource(at, one) && this.#isDestination(at, other)) ||
      (this.#isSource(at, other) && this.#isDestination(at, one))
    );
  }

  #isSource(at: number, { address, port }: Side): boolean {
    if (port !== null && this.#words[at + FLOW.ports] >>> 16 !== port) return false;
    return address === null || this.#isAt(at + FLOW.source, address);
  }

  #isDestination(at: number, { address, port }: Side): boolean {
    if (port !== null && (this.#words[at + FLOW.ports] & 0xffff) !== port) return false;
    return address === null || this.#isAt(at + FLOW.destination, address);
  }

  #isAt(at: number, address: Int32Array): boolean {
    for (let w = 0; w < 4; w++) if (this.#words[at + w] !== address[w]) return false;
    return true;
  }
}

const sideOf = ({ address, port }: FlowEndpoint): Side => ({
  address: address === null ? null : addressWords(address),
  port,
});
