import test from 'ava';
import fc from 'fast-check';
import { hex } from '../testing/hex.js';
import { InetRoutes, type TrieSlot } from './inet-route.js';

interface Route {
  readonly prefix: Uint8Array;
  readonly length: number;
  readonly value: number;
}

/** The obvious table: a list, searched from end to end. */
class RouteList {
  #routes: Route[] = [];

  get routes(): readonly Route[] {
    return this.#routes;
  }

  set(route: Route): void {
    this.delete(route.prefix, route.length);
    this.#routes.push(route);
  }

  delete(prefix: Uint8Array, length: number): boolean {
    const before = this.#routes.length;
    this.#routes = this.#routes.filter((r) => r.length !== length || !covers(r, prefix));
    return this.#routes.length < before;
  }

  longest(address: Uint8Array, maxLength = 128): Route | undefined {
    const matches = this.#routes.filter((r) => r.length <= maxLength && covers(r, address));
    return matches.sort((a, b) => b.length - a.length)[0];
  }

  /** Slots of the trie: a slot is divided where a route in it is longer than it. */
  dump(address: Uint8Array, slotLength = 0): TrieSlot[] {
    if (
      slotLength > 0 &&
      !this.#routes.some((r) => r.length > slotLength && covers({ prefix: address, length: slotLength }, r.prefix))
    ) {
      const route = this.longest(address, slotLength);
      return [{ address, slotLength, value: route?.value ?? 0, ppl: route?.length ?? 0 }];
    }
    return Array.from({ length: 256 }, (_, byte) => {
      const child = address.slice();
      child[slotLength / 8] = byte;
      return this.dump(child, slotLength + 8);
    }).flat();
  }
}

function covers(route: { prefix: Uint8Array; length: number }, address: Uint8Array): boolean {
  for (let bit = 0; bit < route.length; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((route.prefix[bit >> 3] & mask) !== (address[bit >> 3] & mask)) return false;
  }
  return true;
}

/** Addresses close to each other, so that prefixes cover and divide each other. */
const addresses = (levels: number): fc.Arbitrary<Uint8Array> =>
  fc
    .array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(0, 1, 128) }, fc.nat(255)), {
      minLength: levels,
      maxLength: levels,
    })
    .map((bytes) => Uint8Array.from(bytes));

for (const levels of [4, 16] as const) {
  const step = fc.record({
    op: fc.constantFrom('set', 'set', 'delete', 'delete known', 'set known' as const),
    prefix: addresses(levels),
    length: fc.nat(levels * 8),
    value: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    pick: fc.nat(100),
  });

  test(`a trie of ${levels} levels does what a list of routes does`, (t) => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.array(addresses(levels), { maxLength: 20 }),
        (steps, probes) => {
          const trie = new InetRoutes(levels);
          const list = new RouteList();
          for (const { op, prefix, length, value, pick } of steps) {
            const known = list.routes[pick % Math.max(1, list.routes.length)] as Route | undefined;
            const target = op.endsWith('known') && known ? known : { prefix, length };
            if (op.startsWith('set')) {
              trie.set(target.prefix, target.length, value);
              list.set({ prefix: target.prefix, length: target.length, value });
            } else {
              t.is(trie.delete(target.prefix, target.length), list.delete(target.prefix, target.length));
            }
            t.is(
              trie.get(prefix, length),
              list.routes.find((r) => r.length === length && covers(r, prefix))?.value ?? 0,
            );
          }
          const near = list.routes.map((r) => r.prefix);
          for (const address of [...probes, ...near]) {
            t.is(trie.lookup(address, 0), list.longest(address)?.value ?? 0);
          }
          t.deepEqual([...trie.dump()], list.dump(new Uint8Array(levels)));
        },
      ),
      { numRuns: levels === 4 ? 100 : 30 },
    );
  });

  test(`what ${levels} levels held is gone once every route is deleted`, (t) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const trie = new InetRoutes(levels);
        for (const { prefix, length, value } of steps) trie.set(prefix, length, value);
        for (const { prefix, length } of steps) trie.delete(prefix, length);
        const slots = [...trie.dump()];
        t.is(slots.length, 256);
        t.true(slots.every((slot) => slot.value === 0 && slot.ppl === 0));
      }),
      { numRuns: 30 },
    );
  });
}

test('an empty table knows no route', (t) => {
  const trie = new InetRoutes(4);
  t.is(trie.lookup(hex('0a 00 00 01'), 0), 0);
  t.is(trie.get(hex('00 00 00 00'), 0), 0);
  t.false(trie.delete(hex('00 00 00 00'), 0));
});

test('the address may lie anywhere in a packet', (t) => {
  const trie = new InetRoutes(4);
  trie.set(hex('0a 00 00 01'), 32, 7);
  t.is(trie.lookup(hex('ff ff ff 0a 00 00 01 ff'), 3), 7);
});

test('a dump shows a row per host of a /24, with the length of the route that fills it', (t) => {
  const trie = new InetRoutes(4);
  trie.set(hex('05 05 05 00'), 24, 1);
  trie.set(hex('05 05 05 04'), 32, 2);
  const rows = [...trie.dump()].filter((slot) => slot.slotLength === 32);
  t.is(rows.length, 256);
  t.deepEqual(rows[4], { address: hex('05 05 05 04'), slotLength: 32, value: 2, ppl: 32 });
  t.deepEqual(rows[100], { address: hex('05 05 05 64'), slotLength: 32, value: 1, ppl: 24 });
  t.is([...trie.dump()].length, 4 * 255 + 1, 'and a row for each slot on the way');
});

test('nodes are used again, however often routes come and go', (t) => {
  const trie = new InetRoutes(16);
  const keep = hex('fd00 0000 0000 0000 0000 0000 0000 0001');
  trie.set(keep, 128, 1);
  for (let i = 0; i < 50_000; i++) {
    const prefix = hex('fd01 0000 0000 0000 0000 0000 0000 0001');
    prefix[3] = i;
    trie.set(prefix, 128, 2);
    trie.delete(prefix, 128);
  }
  t.is(trie.lookup(keep, 0), 1);
  t.is([...trie.dump()].length, 16 * 255 + 1);
});
