import { MAX_VIFS, MAX_VRFS } from './counters.js';

/**
 * When forwarding state last changed, so that a flow knows whether what it was decided by still holds. There is one clock, which
 * moves on with every change, and for each part of the state the time of its last change.
 */
export class Epochs {
  /** Time now: that of the last change. Starts above 0, so that 0 is before everything. */
  now = 1;
  /** Each ACL, by its id. */
  readonly #acls: number[] = [];
  /** Routes, bridge entries and nexthops of each VRF; and what is said of the VRF itself. */
  readonly vrf = new Int32Array(MAX_VRFS);
  readonly vrfRecord = new Int32Array(MAX_VRFS);
  /** Each interface's record; and when it was deleted last: flows from before are nobody's. */
  readonly vif = new Int32Array(MAX_VIFS);
  readonly vifGone = new Int32Array(MAX_VIFS);
  readonly vrfGone = new Int32Array(MAX_VRFS);
  /** Any interface or any ACL. */
  anybody = 0;
  /** What belongs to no VRF. */
  shared = 0;

  aclChanged(id: number): void {
    this.#acls[id] = this.anybody = ++this.now;
  }
  /** When the ACL changed last; of none (-1), never. */
  aclTime(id: number): number {
    return id >= 0 && id < this.#acls.length ? (this.#acls[id] ?? 0) : 0;
  }
  /** @param vrf -1: of no VRF. */
  vrfChanged(vrf: number): void {
    this.now++;
    if (vrf >= 0 && vrf < MAX_VRFS) this.vrf[vrf] = this.now;
    else this.shared = this.now;
  }
  vrfRecordChanged(vrf: number): void {
    this.vrfRecord[vrf] = ++this.now;
  }
  vrfDeleted(vrf: number): void {
    this.vrfGone[vrf] = ++this.now;
  }
  vifChanged(vif: number): void {
    this.vif[vif] = this.anybody = ++this.now;
  }
  vifDeleted(vif: number): void {
    this.vifGone[vif] = this.anybody = ++this.now;
  }
}
