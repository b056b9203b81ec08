import type { AclRecord } from '../tables/records.js';

interface Entry {
  readonly inputs: readonly unknown[];
  readonly record: AclRecord;
}

/**
 * Access lists as they were compiled last, by key. A host with many networks and long policies is compiled anew with each change of
 * any interface; lists whose inputs are the same then stay the same object.
 */
export class AclCache {
  #entries = new Map<string, Entry>();
  #used = new Map<string, Entry>();

  /** The list of this key: the last one when `inputs` are what they were, else what `make` says. */
  get(key: string, inputs: readonly unknown[], make: () => AclRecord): AclRecord {
    const known = this.#used.get(key) ?? this.#entries.get(key);
    const isSame = known?.inputs.length === inputs.length && known.inputs.every((input, i) => input === inputs[i]);
    const entry = known !== undefined && isSame ? known : { inputs, record: make() };
    this.#used.set(key, entry);
    return entry.record;
  }

  /** Forgets the lists nobody asked for since the last call. */
  forgetUnused(): void {
    this.#entries = this.#used;
    this.#used = new Map();
  }
}
