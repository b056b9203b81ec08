/** How often something may be done: so many times a second, and so many at once. Full at first. */
export class TokenBucket {
  /** Tokens left, and when they were last reckoned (ms). */
  tokens = Infinity;
  refilledAt = 0;

  /**
   * Takes one token; false: there is none left. A clock that goes back refills nothing.
   * @param rate tokens a second.
   * @param burst most there can be.
   * @param now ms.
   */
  take(rate: number, burst: number, now: number): boolean {
    const elapsedMs = Math.max(0, now - this.refilledAt);
    this.tokens = Math.min(burst, this.tokens + (elapsedMs * rate) / 1000);
    this.refilledAt = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  /** Takes over where the other one stands. */
  copyFrom(other: TokenBucket): void {
    this.tokens = other.tokens;
    this.refilledAt = other.refilledAt;
  }
}
