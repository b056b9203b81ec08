import type { HostStateName } from './host-dumps.js';

/** Lease of a host, and what happens when it is gone, ms. */
export const LEASE = { lastsMs: 10_000, renewMs: 3_000, graceMs: 5_000, askMs: 1_000, lost: 3 } as const;
/** How often a host that is withdrawn is looked for, ms. */
const LOOK_FOR_MS = 5_000;
/** Clocks and servers are not exact: how long after its end a lease is looked at, ms. */
const SLACK_MS = 50;

/**
 * Whether one other host lives. All times in milliseconds by one clock.
 *
 *     alive ──lease gone──▶ leaseExpired ──answer──▶ keepaliveAnswered
 *       ▲                        └──── 3 lost, 5 s ────▶ withdrawn ◀──── 3 lost ────┘
 *       └──────────────── lease seen: from everywhere
 */
export class HostLife {
  #state: HostStateName = 'leaseExpired';
  /** The lease lasts at least until then. */
  #leaseUntil = 0;
  #goneSince: number | null = null;
  /** Keepalives lost in a row. */
  #lost = 0;
  #nextLook = 0;
  #nextAsk = 0;
  #roundTrip: number | null = null;

  get state(): HostStateName {
    return this.#state;
  }

  /** Of the last keepalive that was answered, ms; null: none was, since the lease is gone. */
  get roundTripMs(): number | null {
    return this.#roundTrip;
  }

  /** Whether others send to it: alive, answering, or not yet known to be neither. */
  isUsable(isUsed: boolean): boolean {
    if (this.#state === 'alive' || this.#state === 'keepaliveAnswered') return true;
    return this.#state === 'leaseExpired' && isUsed;
  }

  /** Whether it is time to look at the lease. */
  looksAt(now: number): boolean {
    return now >= this.#nextLook;
  }

  /** Whether it is time for a keepalive; the answer goes to `answered`. */
  asksAt(now: number): boolean {
    if (this.#goneSince === null || now < this.#nextAsk) return false;
    this.#nextAsk = now + (this.#state === 'withdrawn' ? LOOK_FOR_MS : LEASE.askMs);
    return true;
  }

  /**
   * The lease lasts `leftMs` more; negative: there is none. Before `trustFrom` that means nothing: the store is just back, and
   * hosts had no time to renew their leases.
   */
  lease(leftMs: number, now: number, trustFrom: number): void {
    if (leftMs >= 0) {
      this.#state = 'alive';
      this.#leaseUntil = now + leftMs;
      this.#goneSince = null;
      this.#lost = 0;
      this.#roundTrip = null;
      this.#nextLook = this.#leaseUntil + SLACK_MS;
      return;
    }
    if (this.#state === 'alive' && now < trustFrom) {
      this.#nextLook = Math.min(trustFrom, now + LEASE.askMs);
      return;
    }
    if (this.#state === 'alive') this.#state = 'leaseExpired';
    this.#goneSince ??= now;
    this.#nextLook = now + (this.#state === 'withdrawn' ? LOOK_FOR_MS : LEASE.askMs);
  }

  /** Looks at the lease next time, whatever was known: its host has just written something. */
  stir(): void {
    if (this.#state !== 'alive') this.#nextLook = 0;
  }

  /** How a keepalive ended: after so many milliseconds; null: it was lost. Nobody is withdrawn before `trustFrom`. */
  answered(roundTripMs: number | null, now: number, trustFrom: number): void {
    if (this.#goneSince === null) return;
    if (roundTripMs !== null) {
      this.#state = 'keepaliveAnswered';
      this.#lost = 0;
      this.#roundTrip = roundTripMs;
      return;
    }
    this.#lost += 1;
    if (this.#lost < LEASE.lost || now - this.#goneSince < LEASE.graceMs || now < trustFrom) return;
    this.#state = 'withdrawn';
    this.#roundTrip = null;
  }
}
