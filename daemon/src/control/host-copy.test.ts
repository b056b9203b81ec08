import test from 'ava';
import fc from 'fast-check';
import { HostCopy } from './host-copy.js';
import { freshId, HOST_FIELD, idText, type LogId, nextId, NO_ID } from './host-log.js';
import { type HostChange, type HostLease, type HostRoute, hostRouteKey } from './host-route.js';
import { Shared } from './host-route-text.js';

const LEASE: HostLease = {
  name: 'h',
  tunnelAddress: '192.0.2.1',
  encapsulations: ['MPLSoUDP'],
  version: '1',
  incarnation: 'i',
};
const flood = (n: number, label: number): HostRoute => ({ kind: 'flood', network: `n${n}`, label, vni: n });

/** A host and its keys in the store, as simple as can be. */
class Writer {
  hash: Record<string, string> = {};
  log: { id: LogId; fields: string[] }[] = [];
  last = NO_ID;
  #now = 1_000;
  #saved = { hash: this.hash, log: this.log };

  write(fields: readonly (readonly [string, string])[]): void {
    this.#now += 10;
    this.#store(nextId(this.last, this.#now), fields);
  }

  save(): void {
    this.#saved = { hash: { ...this.hash }, log: [...this.log] };
  }

  /** The store is one that had not got all: what was written since `save` is lost. */
  failOver(): void {
    this.hash = { ...this.#saved.hash };
    this.log = [...this.#saved.log];
  }

  /** The host finds its own keys to be wrong. */
  repair(wanted: ReadonlyMap<string, string>, random: number): void {
    this.#now += 10;
    this.hash = Object.fromEntries(wanted);
    this.#store(freshId(this.last, this.#now, random), [[HOST_FIELD, JSON.stringify(LEASE)]]);
  }

  trim(keep: number): void {
    this.log = keep === 0 ? [] : this.log.slice(-keep);
  }

  get end(): string | undefined {
    const entry = this.log.at(-1);
    return entry && idText(entry.id);
  }

  #store(id: LogId, fields: readonly (readonly [string, string])[]): void {
    const hash = new Map([...Object.entries(this.hash), ...fields]);
    for (const [key, text] of fields) if (text === '') hash.delete(key);
    this.hash = Object.fromEntries(hash);
    this.log = [...this.log, { id, fields: fields.flat() }];
    this.last = id;
  }
}

/** Reads at most `count` entries, and the hash when they do not connect. */
function read(copy: HostCopy, writer: Writer, count: number, changes: HostChange[]): void {
  const { ms, sequence } = copy.position;
  const unread = writer.log.filter(({ id }) => id.ms > ms || (id.ms === ms && id.sequence > sequence));
  for (const { id, fields } of unread.slice(0, count)) {
    if (copy.apply(idText(id), fields, changes)) continue;
    copy.replace(writer.end, writer.hash, changes);
    return;
  }
}

/** Applies changes as a listener does. Fails on those that change nothing, and on those of a host it was not told of. */
function hear(known: Map<string, HostRoute> | null, changes: readonly HostChange[]): Map<string, HostRoute> | null {
  let routes = known;
  for (const change of changes) {
    if (change.op === 'host') routes ??= new Map();
    else if (routes === null) throw new Error(`${change.op} before the host`);
    else if (change.op === 'gone') routes = null;
    else if (change.op === 'delete') {
      if (!routes.delete(change.key)) throw new Error(`${change.key} was not there`);
    } else {
      const key = hostRouteKey(change.route);
      if (JSON.stringify(routes.get(key)) === JSON.stringify(change.route)) throw new Error(`${key} did not change`);
      routes.set(key, change.route);
    }
  }
  return routes;
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('write' as const), n: fc.nat(6), label: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('read' as const), count: fc.integer({ min: 1, max: 5 }) }) },
  fc.record({ op: fc.constant('trim' as const), keep: fc.nat(3) }),
  fc.record({ op: fc.constant('save' as const) }),
  fc.record({ op: fc.constant('failOver' as const), random: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
  fc.record({ op: fc.constant('withdraw' as const) }),
  fc.record({ op: fc.constant('tell' as const) }),
  fc.record({ op: fc.constant('announce' as const) }),
);

test('whatever happens to the log, the reader ends with what the host has, and tells each difference once', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const writer = new Writer();
      const wanted = new Map([[HOST_FIELD, JSON.stringify(LEASE)]]);
      const copy = new HostCopy('h', new Shared());
      let known: Map<string, HostRoute> | null = null;
      writer.repair(wanted, 0.5);
      for (const one of steps) {
        const changes: HostChange[] = [];
        if (one.op === 'write') {
          const route = flood(one.n, one.label);
          // Label 0: no route.
          const text = one.label === 0 ? '' : JSON.stringify(route);
          if (text === '') wanted.delete(hostRouteKey(route));
          else wanted.set(hostRouteKey(route), text);
          writer.write([[hostRouteKey(route), text]]);
        } else if (one.op === 'failOver') {
          writer.failOver();
          copy.resume(writer.end);
          writer.repair(wanted, one.random);
        } else if (one.op === 'read') read(copy, writer, one.count, changes);
        else if (one.op === 'trim') writer.trim(one.keep);
        else if (one.op === 'save') writer.save();
        else if (one.op === 'withdraw') copy.withdraw(changes);
        else if (one.op === 'announce') copy.announce(changes);
        else copy.tell(changes);
        known = hear(known, changes);
      }

      const changes: HostChange[] = [];
      writer.write([[HOST_FIELD, JSON.stringify(LEASE)]]);
      for (let i = 0; i < 100; i += 1) read(copy, writer, 5, changes);
      copy.tell(changes);
      known = hear(known, changes);
      const texts = Object.entries(writer.hash).filter(([key]) => key !== HOST_FIELD);
      t.deepEqual(
        new Map([...(known ?? [])].sort()),
        new Map(texts.sort().map(([key, text]) => [key, JSON.parse(text) as HostRoute])),
      );
      t.deepEqual(known, copy.routes);
    }),
  );
});

test('what the store has lost stays until the host has published it again', (t) => {
  const copy = new HostCopy('h', new Shared());
  const changes: HostChange[] = [];
  const hash = { [HOST_FIELD]: JSON.stringify(LEASE), 'flood n1': JSON.stringify(flood(1, 16)) };
  copy.replace('5000-100', hash, changes);
  copy.tell(changes);
  t.is(changes.length, 2);

  copy.resume('4000-99');
  t.true(copy.held);
  t.deepEqual([...copy.routes.values()], [flood(1, 16)]);
  t.false(copy.apply('6000-7', ['host', JSON.stringify(LEASE)], changes));
  copy.replace('6000-7', { ...hash, 'flood n2': JSON.stringify(flood(2, 17)) }, changes);
  t.deepEqual(changes.slice(2), [{ op: 'set', host: 'h', route: flood(2, 17) }]);
  t.false(copy.held);
});

test('what is no route, or another one than its key says, is left out and counted', (t) => {
  const copy = new HostCopy('h', new Shared());
  const good = JSON.stringify(flood(1, 16));
  const hash = {
    [HOST_FIELD]: JSON.stringify(LEASE),
    'flood n1': good,
    'flood n2': good,
    'flood n3': '{"kind":"flood","network":"n3","label":-1,"vni":1}',
    'flood n4': '{"kind":"flood"',
    'flood n5': 'null',
    'inet n6 10.0.0.1/32': '{"kind":"inet","network":"n6","label":1,"vni":1,"prefix":"10.0.0.1/32"}',
  };
  copy.replace('1-1', hash, []);
  t.deepEqual([...copy.routes.keys()], ['flood n1']);
  t.is(copy.invalid, 5);
});

test('a host that has not said who it is cannot be told of, and under another name it is not believed', (t) => {
  const copy = new HostCopy('h', new Shared());
  const changes: HostChange[] = [];
  copy.replace('1-1', { [HOST_FIELD]: JSON.stringify({ ...LEASE, name: 'other' }) }, changes);
  copy.tell(changes);
  t.deepEqual(changes, []);
  t.false(copy.told);
});

test('a host that is announced is known without its routes, until it is told of or withdrawn', (t) => {
  const copy = new HostCopy('h', new Shared());
  const changes: HostChange[] = [];
  copy.replace('1-1', { [HOST_FIELD]: JSON.stringify(LEASE), 'flood n1': JSON.stringify(flood(1, 16)) }, changes);
  copy.announce(changes);
  copy.announce(changes);
  copy.withdraw(changes);
  copy.announce(changes);
  copy.tell(changes);
  t.deepEqual(
    changes.map(({ op }) => op),
    ['host', 'gone', 'host', 'host', 'set'],
  );
});
