import { encodeName } from '../wire/mirror-metadata.js';

/** Full names of networks by number, and the bytes of each as metadata of copies has them. */
export class NetworkNames extends Map<number, string> {
  readonly #encoded: (Uint8Array | undefined)[] = [];

  override set(number: number, name: string): this {
    this.#encoded[number] = encodeName(name);
    return super.set(number, name);
  }

  override delete(number: number): boolean {
    this.#encoded[number] = undefined;
    return super.delete(number);
  }

  bytesOf(number: number): Uint8Array | undefined {
    return this.#encoded[number];
  }
}
