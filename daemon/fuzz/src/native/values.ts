import type { Choices } from '../engine/choices.js';

/** Thrown by a getter: what JavaScript throws inside of a call comes out of it unchanged. */
export const GETTER_ERROR = new Error('thrown by a getter');

/** Arguments nobody expects. No small whole number: it could be somebody's descriptor. */
const ODD: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => true,
  () => -1,
  () => -0.5,
  () => 1.5,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => 2 ** 31 - 1,
  () => 2 ** 31,
  () => 2 ** 32 - 1,
  () => 2 ** 32,
  () => 2 ** 53,
  () => -(2 ** 53),
  () => 1e300,
  () => 10n,
  () => '',
  () => 'x',
  () => 'a\0b',
  () => 'x'.repeat(70_000),
  () => '\ud800',
  () => Symbol('odd'),
  () => ({}),
  () => [],
  () => Object.create(null) as unknown,
  () => () => 0,
  () => new Uint8Array(0),
  () => new Uint8Array(new SharedArrayBuffer(8)),
  () => new Float64Array(4),
  () => new DataView(new ArrayBuffer(4)),
  () => new ArrayBuffer(8),
  () => detached(),
  () => new Date(0),
  () => new Map(),
  () => ({
    get name(): string {
      throw GETTER_ERROR;
    },
  }),
  () => new Proxy({}, { get: () => 5 }),
];

/** The value, or now and then one nobody expects. */
export const odd = (choices: Choices, value: unknown): unknown => (choices.chance(12) ? choices.pick(ODD)() : value);

/** Bytes to read from or write to. */
export function chooseBytes(choices: Choices): Uint8Array {
  const length = choices.pick([0, 1, 9, 10, 14, 60, 1514, 65_568, 70_000]);
  const bytes = new Uint8Array(length + 8);
  bytes.set(choices.bytes(Math.min(length, 32)));
  const at = choices.below(8);
  return bytes.subarray(at, at + length);
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}
