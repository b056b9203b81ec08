import type { Random } from './random.js';

/** Values on the edges of fields: what length checks and signs get wrong. */
const EDGES = [0, 1, 2, 3, 4, 7, 8, 15, 16, 20, 31, 32, 40, 63, 64, 127, 128, 192, 254, 255] as const;
const EDGES_16 = [0, 1, 20, 28, 40, 60, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff] as const;

type Mutation = (input: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

/** What can be done to an input of at least one byte. */
const MUTATIONS: readonly Mutation[] = [
  (input, random) => set(input, random, (byte) => byte ^ (1 << random.below(8))),
  (input, random) => set(input, random, () => random.below(256)),
  (input, random) => set(input, random, () => random.pick(EDGES)),
  (input, random) => set(input, random, (byte) => byte + random.below(9) - 4),
  (input, random) => {
    const changed = input.slice();
    const at = random.below(input.length);
    const value = random.pick(EDGES_16);
    changed.set([value >>> 8, value & 0xff].slice(0, input.length - at), at);
    return changed;
  },
  (input, random) => spliced(input, random.below(input.length), chunk(random), new Uint8Array(0)),
  (input, random) => spliced(input, random.below(input.length), 0, fresh(random)),
  (input, random) => spliced(input, random.below(input.length), chunk(random), fresh(random)),
  (input, random) => {
    const from = random.below(input.length);
    return spliced(input, random.below(input.length), 0, input.subarray(from, from + chunk(random)));
  },
  (input, random, others) => {
    const other = random.pick(others);
    const from = random.below(other.length);
    return spliced(
      input,
      random.below(input.length),
      random.below(2) * chunk(random),
      other.subarray(from, from + chunk(random)),
    );
  },
  (input, random, others) => {
    const other = random.pick(others);
    return join(input.subarray(0, random.below(input.length)), other.subarray(random.below(other.length)));
  },
];

/** A changed copy of an input, at most `most` bytes long and at least one. `others` are what parts are taken from. */
export function mutate(input: Uint8Array, random: Random, others: readonly Uint8Array[], most: number): Uint8Array {
  let changed = input;
  for (let n = 1 << random.below(5); n > 0; n--) {
    changed = random.pick(MUTATIONS)(changed, random, others).slice(0, most);
    if (changed.length === 0) changed = Uint8Array.of(random.below(256));
  }
  return changed;
}

/** Shorter and simpler inputs to try in place of one: without a part of it, or with a part zeroed. */
export function* simpler(input: Uint8Array): Generator<Uint8Array> {
  for (let length = input.length >>> 1; length > 0; length >>>= 1) {
    for (let at = 0; at < input.length; at += length) yield spliced(input, at, length, new Uint8Array(0));
  }
  for (let at = 0; at < input.length; at++) {
    if (input[at] === 0) continue;
    const changed = input.slice();
    changed[at] = 0;
    yield changed;
  }
}

function set(input: Uint8Array, random: Random, to: (byte: number) => number): Uint8Array {
  const changed = input.slice();
  const at = random.below(changed.length);
  changed[at] = to(changed[at]);
  return changed;
}

const chunk = (random: Random): number => 1 + random.below(1 << (1 + random.below(6)));

const fresh = (random: Random): Uint8Array => Uint8Array.from({ length: chunk(random) }, () => random.below(256));

function spliced(input: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  return join(input.subarray(0, at), added, input.subarray(at + removed));
}

/** Not a Buffer: its `slice` does not copy. */
const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
