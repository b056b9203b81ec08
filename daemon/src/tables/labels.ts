/**
 * What arrives from the underlay with an MPLS label or a VXLAN network identifier: the nexthop it is handed to.
 */

/** MPLS labels have 20 bits; those below 16 have meanings of their own (RFC 3032 section 2.1). */
export const FIRST_LABEL = 16;
export const MAX_LABELS = 1 << 20;

const NONE = -1;
const ROOM = 1024;

/** Nexthop by label: an array as long as the highest given so far. */
export class LabelTable {
  #nexthops = new Int32Array(ROOM).fill(NONE);

  set(label: number, nexthop: number): void {
    if (label >= this.#nexthops.length) {
      const longer = new Int32Array(2 ** Math.ceil(Math.log2(label + 1))).fill(NONE);
      longer.set(this.#nexthops);
      this.#nexthops = longer;
    }
    this.#nexthops[label] = nexthop;
  }

  delete(label: number): void {
    if (label < this.#nexthops.length) this.#nexthops[label] = NONE;
  }

  /** Id of the nexthop, -1: nobody gave the label away. */
  get(label: number): number {
    return label < this.#nexthops.length ? this.#nexthops[label] : NONE;
  }

  /** In ascending label. */
  *entries(): IterableIterator<{ readonly label: number; readonly nexthop: number }> {
    for (const [label, nexthop] of this.#nexthops.entries()) if (nexthop !== NONE) yield { label, nexthop };
  }
}

/** Nexthop by VXLAN network identifier. These are spread over 24 bits. */
export class VniTable {
  readonly #nexthops = new Map<number, number>();

  set(vni: number, nexthop: number): void {
    this.#nexthops.set(vni, nexthop);
  }

  delete(vni: number): void {
    this.#nexthops.delete(vni);
  }

  /** Id of the nexthop, -1: no network of this host has it. */
  get(vni: number): number {
    return this.#nexthops.get(vni) ?? NONE;
  }

  /** In ascending identifier. */
  *entries(): IterableIterator<{ readonly vni: number; readonly nexthop: number }> {
    for (const vni of [...this.#nexthops.keys()].sort((a, b) => a - b)) yield { vni, nexthop: this.get(vni) };
  }
}
