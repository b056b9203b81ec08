import { BridgeTable } from '#vrouterd/tables/bridge.js';
import { InetRoutes } from '#vrouterd/tables/inet-route.js';
import { put32 } from '#vrouterd/wire/bytes.js';
import { bench, runBenches } from './harness.js';

const LOOKUPS = 1024;
const VRF = 7;

/** The same numbers in every run. */
function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** Keys of `length` bytes, one after the other. */
function keys(count: number, length: number, seed: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length: count * length }, () => next() & 0xff);
}

/** Looks up what is there, in an order that memory cannot guess. */
function some(count: number, length: number): Int32Array {
  const next = random(99);
  return Int32Array.from({ length: LOOKUPS }, () => (next() % count) * length);
}

for (const entries of [16, 100_000]) {
  const table = new BridgeTable();
  const macs = keys(entries, 6, 1);
  for (let i = 0; i < entries; i++) {
    table.set({ vrf: VRF, mac: macs.subarray(i * 6, i * 6 + 6), nexthop: i, label: -1, flags: 0, index: -1 });
  }
  const at = some(entries, 6);
  bench(
    `bridge lookup among ${entries}`,
    () => {
      let sum = 0;
      for (let i = 0; i < LOOKUPS; i++) sum += table.nexthop(table.find(VRF, macs, at[i]));
      return sum;
    },
    { operations: LOOKUPS },
  );
}

for (const [family, length, bits] of [
  ['IPv4', 4, 32],
  ['IPv6', 16, 128],
] as const) {
  for (const routes of [16, 10_000]) {
    const trie = new InetRoutes(length);
    const addresses = keys(routes, length, 2);
    // Networks as tenants have them: few of them, and hosts in each.
    for (let i = 0; i < routes; i++) put32(addresses, i * length, 0x0a000000 + ((i >>> 6) << 8) + (i & 63));
    for (let i = 0; i < routes; i++) trie.set(addresses.subarray(i * length, (i + 1) * length), bits, i + 1);
    const at = some(routes, length);
    bench(
      `${family} route lookup among ${routes} hosts`,
      () => {
        let sum = 0;
        for (let i = 0; i < LOOKUPS; i++) sum += trie.lookup(addresses, at[i]);
        return sum;
      },
      { operations: LOOKUPS },
    );
  }
}

runBenches();
