import test from 'ava';
import fc from 'fast-check';
import { FLOW, FLOW_DOUBLE, FLOW_OWN, FlowTable, newFlowKey } from '../tables/flow.js';
import { AGEING_TICK_MS, type AgeingRule, type AgeingWorker, FlowAgeing, IdleTimes } from './flow-ageing.js';

const TCP = 6;
const UDP = 17;
const PROTOCOLS = [1, TCP, UDP, 47, 58, 132];

interface Session {
  readonly protocol: number;
  readonly ports: number;
  readonly owner?: number;
  readonly own?: number;
}

/** Makes a pair last seen at `now`; returns its two indices. */
function pair(table: FlowTable, n: number, now: number, { protocol, ports, owner = 3, own = 0 }: Session): number[] {
  const indices = [0, 1].map((direction) => {
    const key = newFlowKey();
    key.set([(4 << 8) | protocol, ports, 20 + direction, n]);
    return table.insert(key);
  });
  for (const [direction, index] of indices.entries()) {
    const at = table.at(index);
    table.words[at + FLOW.reverse] = indices[1 - direction];
    table.words[at + FLOW.owner] = owner | ((own | (direction === 0 ? FLOW_OWN.forward : 0)) << 16);
    table.doubles[table.doubleAt(index) + FLOW_DOUBLE.created] = now;
    table.doubles[table.doubleAt(index) + FLOW_DOUBLE.lastSeen] = direction === 0 ? now : 0;
  }
  return indices;
}

const touch = (table: FlowTable, index: number, now: number): void => {
  table.doubles[table.doubleAt(index) + FLOW_DOUBLE.lastSeen] = now;
};

/** Removes what it is asked to, as the worker does, and remembers when. */
class Remover implements AgeingWorker {
  idle = true;
  now = 0;
  readonly removed = new Map<number, number>();
  readonly batches: number[] = [];

  constructor(readonly table: FlowTable) {}

  age(triples: Int32Array): void {
    this.batches.push(triples.length / 3);
    for (let i = 0; i < triples.length; i += 3) {
      const [index, generation] = triples.subarray(i, i + 2);
      if (!this.table.isUsed(index) || this.table.generation(index) !== generation) throw new Error('not that pair');
      this.removed.set(index, this.now);
      const reverse = this.table.words[this.table.at(index) + FLOW.reverse];
      this.table.remove(index);
      this.table.remove(reverse);
    }
  }
}

/** The most specific rule, looked for among all of them. */
function slowIdleMs(rules: readonly AgeingRule[], protocol: number, ports: number): number {
  const ported = [TCP, UDP, 132].includes(protocol);
  const names = { any: PROTOCOLS, tcp: [TCP], udp: [UDP], icmp: [1, 58], sctp: [132] };
  const covers = (rule: AgeingRule): boolean =>
    typeof rule.protocol === 'number' ? rule.protocol === protocol : names[rule.protocol].includes(protocol);
  const wanted: readonly ((rule: AgeingRule) => boolean)[] = [
    (rule) => rule.protocol !== 'any' && ported && rule.port !== 0 && rule.port === (ports & 0xffff),
    (rule) => rule.protocol !== 'any' && ported && rule.port !== 0 && rule.port === ports >>> 16,
    (rule) => rule.protocol !== 'any' && rule.port === 0,
    (rule) => rule.protocol === 'any' && ported && rule.port !== 0 && rule.port === (ports & 0xffff),
    (rule) => rule.protocol === 'any' && ported && rule.port !== 0 && rule.port === ports >>> 16,
    (rule) => rule.protocol === 'any' && rule.port === 0,
  ];
  for (const fits of wanted) {
    const rule = rules.find((one) => covers(one) && fits(one));
    if (rule) return (rule.seconds || 180) * 1000;
  }
  return 180_000;
}

const someRules = fc
  .array(
    fc.record({
      protocol: fc.constantFrom<AgeingRule['protocol']>('any', 'tcp', 'udp', 'icmp', 'sctp', 47),
      port: fc.constantFrom(0, 22, 53),
      seconds: fc.integer({ min: 0, max: 9 }),
    }),
    { maxLength: 8 },
  )
  .map((rules) => rules.filter((r, i) => rules.findIndex((o) => o.protocol === r.protocol && o.port === r.port) === i))
  .map((rules) => rules.map((rule) => ([47, 'icmp'].includes(rule.protocol) ? { ...rule, port: 0 } : rule)))
  .map((rules) => rules.filter((r, i) => rules.findIndex((o) => o.protocol === r.protocol && o.port === r.port) === i));
const somePorts = fc.tuple(fc.constantFrom(22, 53, 4000), fc.constantFrom(22, 53, 80)).map(([s, d]) => (s << 16) | d);

test('the most specific rule says how long a session may be idle', (t) => {
  const asSlow = fc.property(someRules, fc.constantFrom(...PROTOCOLS), somePorts, (rules, protocol, ports) => {
    t.is(new IdleTimes(rules).of(protocol, ports), slowIdleMs(rules, protocol, ports));
  });
  t.notThrows(() => {
    fc.assert(asSlow);
  });
});

test('the identifier of a ping is no port', (t) => {
  const times = new IdleTimes([{ protocol: 'any', port: 53, seconds: 1 }]);
  t.is(times.of(1, 53 << 16), 180_000);
  t.is(times.of(UDP, 53), 1000);
});

test('a session ends when both directions were idle for its time, soon after and never before', (t) => {
  const session = fc.record({ protocol: fc.constantFrom(...PROTOCOLS), ports: somePorts, short: fc.boolean() });
  const packets = fc.array(fc.record({ tick: fc.nat(80), which: fc.nat(19), direction: fc.nat(1) }), { maxLength: 40 });
  const sessions = fc.array(session, { minLength: 1, maxLength: 20 });
  const asModel = fc.property(someRules, sessions, packets, (rules, all, seen) => {
    const table = FlowTable.inMemory({ entries: 64, overflow: 16 });
    const worker = new Remover(table);
    const ageing = new FlowAgeing(table, worker, rules);
    const start = 50_000;
    const pairs = all.map((one, n) => pair(table, n, start, { ...one, own: one.short ? FLOW_OWN.short : 0 }));
    const dueAt = all.map(({ protocol, ports, short }) => (short ? 1000 : slowIdleMs(rules, protocol, ports)) + start);
    for (let tick = 1; tick <= 200; tick++) {
      worker.now = start + tick * AGEING_TICK_MS;
      for (const { tick: at, which, direction } of seen) {
        if (at !== tick || which >= all.length || worker.removed.has(pairs[which][0])) continue;
        touch(table, pairs[which][direction], worker.now);
        const { protocol, ports, short } = all[which];
        if (!short) dueAt[which] = worker.now + slowIdleMs(rules, protocol, ports);
      }
      ageing.tick(worker.now);
    }
    for (const [n, [forward]] of pairs.entries()) {
      const removedAt = worker.removed.get(forward) ?? Infinity;
      // A small table is looked at whole in every tick.
      if (dueAt[n] > worker.now) t.is(removedAt, Infinity);
      else t.is(removedAt, Math.max(dueAt[n], start + AGEING_TICK_MS));
    }
  });
  t.notThrows(() => {
    fc.assert(asModel, { numRuns: 60 });
  });
});

test('a table is passed in a quarter of the smallest idle time, two seconds at most, 3000 entries a tick at least', (t) => {
  const looks = (entries: number, seconds?: number): number => {
    const table = FlowTable.inMemory({ entries, overflow: 0 });
    const rules = seconds === undefined ? [] : [{ protocol: 'udp', port: 0, seconds } as const];
    return new FlowAgeing(table, new Remover(table), rules).looks;
  };
  t.is(looks(1024), 1024);
  t.is(looks(4096), 3000);
  t.is(looks(131_072), Math.ceil(131_072 / 20));
  t.is(looks(131_072, 2), Math.ceil(131_072 / 5));
  t.is(looks(524_288, 1), 209_716);
});

test('a worker that is behind is asked for nothing more', (t) => {
  const table = FlowTable.inMemory({ entries: 64, overflow: 16 });
  const worker = new Remover(table);
  const ageing = new FlowAgeing(table, worker, []);
  pair(table, 1, 0, { protocol: TCP, ports: 22 });
  worker.idle = false;
  ageing.tick(200_000);
  t.is(worker.removed.size, 0);
  worker.idle = true;
  ageing.tick(200_100);
  t.is(worker.removed.size, 1);
});

test('many sessions that end at once are asked for in small commands, a bounded number a tick', (t) => {
  const table = FlowTable.inMemory({ entries: 65_536, overflow: 16_384 });
  const worker = new Remover(table);
  const ageing = new FlowAgeing(table, worker, [{ protocol: 'any', port: 0, seconds: 1 }]);
  const count = 20_000;
  for (let n = 0; n < count; n++) pair(table, n, 0, { protocol: UDP, ports: n });
  for (let tick = 1; worker.removed.size < count; tick++) {
    const before = worker.removed.size;
    ageing.tick(10_000 + tick * AGEING_TICK_MS);
    t.true(worker.removed.size - before <= 16_384);
    t.true(tick < 20);
  }
  t.true(worker.batches.every((pairs) => pairs <= 1024));
  t.is(ageing.asked, count);
});

test('other idle times hold for sessions that exist, and entries are counted by the interface they belong to', (t) => {
  const table = FlowTable.inMemory({ entries: 64, overflow: 16 });
  const worker = new Remover(table);
  const ageing = new FlowAgeing(table, worker, []);
  pair(table, 1, 0, { protocol: TCP, ports: 22, owner: 3 });
  pair(table, 2, 0, { protocol: UDP, ports: 22, owner: 4 });
  pair(table, 3, 0, { protocol: UDP, ports: 23, owner: 4 });
  ageing.tick(5000);
  t.deepEqual([ageing.countOf(3), ageing.countOf(4), ageing.countOf(5)], [2, 4, 0]);
  ageing.rules = [{ protocol: 'udp', port: 0, seconds: 4 }];
  ageing.tick(5100);
  t.is(worker.removed.size, 2);
  ageing.tick(5200);
  t.deepEqual([ageing.countOf(3), ageing.countOf(4)], [2, 0]);
});
