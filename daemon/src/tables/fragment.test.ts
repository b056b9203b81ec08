import test from 'ava';
import fc from 'fast-check';
import { FRAGMENT_KEY, FRAGMENT_MS, type FragmentKey, FragmentTable, newFragmentKey } from './fragment.js';

const VIFS = [3, 4, 5];

function key(id: number, vrf = 7): FragmentKey {
  const k = newFragmentKey();
  k[FRAGMENT_KEY.protocol] = (4 << 8) | 17;
  k[FRAGMENT_KEY.id] = id;
  k[FRAGMENT_KEY.vrf] = vrf;
  k[FRAGMENT_KEY.source] = 0x05050503;
  k[FRAGMENT_KEY.destination] = 0x05050504;
  return k;
}

test('the usual table has room for the datagrams operators know, a quarter of them from one interface', (t) => {
  const table = new FragmentTable();
  for (let id = 0; id < 2304; id++) t.true(table.add(key(id), id, 3, 0) >= 0);
  t.is(table.add(key(2304), 0, 3, 0), -1);
  for (const vif of [4, 5, 6]) for (let id = 0; id < 2304; id++) t.true(table.add(key(id, vif), id, vif, 0) >= 0);
  t.is(table.used, 9216);
});

test('ports are kept as a key has them, up to the highest', (t) => {
  const table = new FragmentTable({ entries: 4 });
  t.is(table.portsOf(table.add(key(1), 0xffffffff, 3, 0)), -1);
});

test('every word of the key tells datagrams apart', (t) => {
  const table = new FragmentTable({ entries: 64, share: 64 });
  const keys = Array.from({ length: 12 }, (_, w) => {
    const k = key(1);
    if (w < k.length) k[w] ^= 1;
    return k;
  });
  const entries = keys.map((k, ports) => table.add(k, ports, 3, 0));
  t.deepEqual(
    keys.map((k) => table.find(k, 0)),
    entries,
  );
  t.is(new Set(entries).size, keys.length);
});

test('a datagram is waited for two seconds, not more', (t) => {
  const table = new FragmentTable({ entries: 4 });
  table.add(key(1), 5, 3, 1000);
  t.true(table.find(key(1), 1000 + FRAGMENT_MS - 1) >= 0);
  t.is(table.find(key(1), 1000 + FRAGMENT_MS), -1);
  t.is(table.used, 1);
  t.false(table.expire(1000 + FRAGMENT_MS));
  t.is(table.used, 0);
});

test('a datagram that has arrived gives its entry back, whatever the order of its fragments', (t) => {
  const table = new FragmentTable({ entries: 4 });
  const parts = [
    [1480, -1],
    [1480, -1],
    [40, 3000],
  ] as const;
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
  ]) {
    const entry = table.add(key(1), 5, 3, 0);
    for (const part of order) {
      t.is(table.find(key(1), 0), entry);
      table.pass(entry, parts[part][0], parts[part][1]);
    }
    t.is(table.find(key(1), 0), -1);
    t.is(table.used, 0);
  }
});

test('an interface that fills the table is refused, others are not', (t) => {
  const table = new FragmentTable({ entries: 16, share: 8 });
  for (const vif of [3, 4]) for (let id = 0; id < 20; id++) table.add(key(id, vif), 0, vif, 0);
  t.is(table.used, 16);
  for (let id = 0; id < 5; id++) t.true(table.add(key(id, 5), 0, 5, 0) >= 0);
  t.is(table.used, 16);
  t.is(table.countOf(5), 5);
  for (let id = 5; id < 20; id++) table.add(key(id, 5), 0, 5, 0);
  for (const vif of VIFS) t.true(table.countOf(vif) >= 4, `interface ${vif} has ${table.countOf(vif)}`);
});

/** The same with a map, in the order entries were made. */
class Model {
  readonly entries = new Map<string, { ports: number; vif: number; since: number; seen: number; length: number }>();

  constructor(
    readonly size: number,
    readonly share: number,
  ) {}

  countOf(vif: number): number {
    return [...this.entries.values()].filter((entry) => entry.vif === vif).length;
  }

  add(name: string, ports: number, vif: number, since: number): boolean {
    this.entries.delete(name);
    if (this.countOf(vif) >= this.share) return false;
    if (this.entries.size >= this.size) {
      const oldest = [...this.entries].slice(0, 16);
      const found = oldest.find(([, entry]) => this.countOf(entry.vif) > this.countOf(vif) + 1);
      if (!found) return false;
      this.entries.delete(found[0]);
    }
    this.entries.set(name, { ports, vif, since, seen: 0, length: -1 });
    return true;
  }

  find(name: string, now: number): number {
    const entry = this.entries.get(name);
    return entry && now < entry.since + 2000 ? entry.ports : -1;
  }

  pass(name: string, bytes: number, length: number): void {
    const entry = this.entries.get(name);
    if (!entry) return;
    entry.seen += bytes;
    if (length >= 0) entry.length = length;
    if (entry.length >= 0 && entry.seen >= entry.length) this.entries.delete(name);
  }

  expire(now: number): void {
    for (const [name, { since }] of [...this.entries]) if (now >= since + 2000) this.entries.delete(name);
  }
}

const step = fc.record({
  op: fc.constantFrom('add', 'add', 'pass', 'expire'),
  id: fc.nat(11),
  vrf: fc.nat(1),
  vif: fc.constantFrom(...VIFS),
  ports: fc.nat(0x7fffffff),
  bytes: fc.nat(20),
  length: fc.integer({ min: -1, max: 20 }),
  afterMs: fc.constantFrom(0, 0, 0, 100, 900),
});

for (const [entries, share] of [
  [4, 4],
  [8, 3],
  [24, 10],
]) {
  test(`${entries} entries of which one may have ${share} do what a map does`, (t) => {
    const same = fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const table = new FragmentTable({ entries, share });
      const model = new Model(entries, share);
      let now = 0;
      for (const { op, id, vrf, vif, ports, bytes, length, afterMs } of steps) {
        now += afterMs;
        const k = key(id, vrf);
        const name = `${id} ${vrf}`;
        if (op === 'add') {
          t.is(table.add(k, ports, vif, now) >= 0, model.add(name, ports, vif, now));
        } else if (op === 'pass') {
          const entry = table.find(k, now);
          if (entry >= 0) {
            table.pass(entry, bytes, length);
            model.pass(name, bytes, length);
          }
        } else {
          t.false(table.expire(now));
          model.expire(now);
        }
        t.is(table.used, model.entries.size);
        for (const some of VIFS) t.is(table.countOf(some), model.countOf(some));
        for (const [wantedId, wantedVrf] of steps.map((s) => [s.id, s.vrf])) {
          const entry = table.find(key(wantedId, wantedVrf), now);
          t.is(entry < 0 ? -1 : table.portsOf(entry), model.find(`${wantedId} ${wantedVrf}`, now));
        }
      }
    });
    t.notThrows(() => {
      fc.assert(same, { numRuns: 150 });
    });
  });
}

test('expiry is done a bounded part at a time', (t) => {
  const table = new FragmentTable({ entries: 1000, share: 1000 });
  for (let id = 0; id < 600; id++) table.add(key(id), 0, 3, 0);
  t.deepEqual(
    [1, 2, 3].map(() => table.expire(FRAGMENT_MS)),
    [true, true, false],
  );
  t.is(table.used, 0);
});
