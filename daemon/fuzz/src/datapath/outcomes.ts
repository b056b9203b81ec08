import { DROP_REASONS } from '#vrouterd/packet/drop.js';
import { type Counters, VRF_STATS } from '#vrouterd/tables/counters.js';
import { kindOf } from '../frames/shape.js';
import type { Arrived } from './sent.js';
import { NETWORKS, vrfOf } from './topology.js';

/**
 * What became of a round's frames, as the counters tell: which drop reasons and VRF counters moved, how much was sent. Together
 * with what kind of frame it was that is the feedback the fuzzer follows.
 */
export class Outcomes {
  readonly #counters: Counters;
  readonly #observe: (outcome: string) => void;
  readonly #drops = new Float64Array(DROP_REASONS.length);
  readonly #stats = new Float64Array(NETWORKS * VRF_STATS.length);
  #sent = 0;

  constructor(counters: Counters, observe: (outcome: string) => void) {
    this.#counters = counters;
    this.#observe = observe;
    this.#moved();
  }

  add(outcome: string): void {
    this.#observe(outcome);
  }

  sent(): void {
    this.#sent++;
  }

  endOfRound(arrived: readonly Arrived[]): void {
    const [drops, stats] = this.#moved();
    const sent = Math.min(this.#sent, 4);
    this.#sent = 0;
    if (arrived.length > 1) return;
    // Not all of it in one text: there would be no end of combinations.
    this.#observe(`${stats} sent ${sent}`);
    if (arrived.length === 0) return this.#observe(`agent ${drops} sent ${sent}`);
    this.#observe(`${kindOf(arrived[0].frame)} ${drops}`);
    this.#observe(`${vnetOf(arrived[0])} ${drops} sent ${sent}`);
  }

  /** Names of the drop reasons and of the VRF counters that moved since the last call. */
  #moved(): [string, string] {
    let drops = '';
    for (const [i, reason] of DROP_REASONS.entries()) {
      const now = this.#counters.totalDrops(i);
      if (now !== this.#drops[i]) drops += ` ${reason}`;
      this.#drops[i] = now;
    }
    const stats = new Set<string>();
    for (let n = 0; n < NETWORKS; n++) {
      for (const [i, stat] of VRF_STATS.entries()) {
        const now = this.#counters.words[this.#counters.vrfAt(vrfOf(n)) + i];
        const at = n * VRF_STATS.length + i;
        if (now !== this.#stats[at]) stats.add(stat);
        this.#stats[at] = now;
      }
    }
    return [drops, [...stats].sort().join(' ')];
  }
}

const vnetOf = ({ vnet }: Arrived): string => `gso ${vnet[1] & 0x7f} csum ${vnet[0] & 1}`;
