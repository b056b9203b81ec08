import { MAX_VIFS, MAX_VRFS } from './counters.js';

/**
 * When forwarding state last changed, so that a flow knows whether what it was decided by still holds. There is one clock, which
 * moves on with every change, and for each part of the state the time of its last change.
 */
export class Epochs {
  /** Time now: that of the last change. Starts above 0, so that 0 is before everything. */
  now = 1;
  /** ACLs. */
  acl = 0;
  /** Routes, bridge entries and nexthops of each VRF, and the VRF itself. */
  readonly vrf = new Int32Array(MAX_VRFS);
  /** Each interface's record; and when it was deleted last: flows from before are nobody's. */
  readonly vif = new Int32Array(MAX_VIFS);
  readonly vifGone = new Int32Array(MAX_VIFS);
  readonly vrfGone = new Int32Array(MAX_VRFS);
  /** What belongs to no VRF. */
  shared = 0;

  aclChanged(): void {
    this.acl = ++this.now;
  }
  /** @param vrf -1: of no VRF. */
  vrfChanged(vrf: number): void {
    this.now++;
    if (vrf >= 0 && vrf < MAX_VRFS) this.vrf[vrf] = this.now;
    else this.shared = this.now;
  }
  vrfDeleted(vrf: number): void {
    this.vrfGone[vrf] = ++this.now;
  }
  vifChanged(vif: number): void {
    this.vif[vif] = ++this.now;
  }
  vifDeleted(vif: number): void {
    this.vifGone[vif] = ++this.now;
  }
}
