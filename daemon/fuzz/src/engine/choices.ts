/**
 * Reads an input as a row of decisions. Every input is a valid row: behind its end all decisions are 0, and `done` tells a target
 * when to stop. So inputs can be cut, joined and changed at random and still mean something.
 */
export class Choices {
  readonly #input: Uint8Array;
  #at = 0;

  constructor(input: Uint8Array) {
    this.#input = input;
  }

  get done(): boolean {
    return this.#at >= this.#input.length;
  }

  byte(): number {
    return this.#at < this.#input.length ? this.#input[this.#at++] : 0;
  }

  u16(): number {
    return (this.byte() << 8) | this.byte();
  }

  u32(): number {
    return ((this.u16() << 16) | this.u16()) >>> 0;
  }

  /** 0..n-1; n is at least 1. */
  below(n: number): number {
    if (n <= 0x100) return this.byte() % n;
    return (n <= 0x10000 ? this.u16() : this.u32()) % n;
  }

  /** True in `n` of 256 cases; false behind the end. */
  chance(n: number): boolean {
    return this.byte() > 0xff - n;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => this.byte());
  }
}
