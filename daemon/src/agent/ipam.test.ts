import test from 'ava';
import fc from 'fast-check';
import { contains, formatAddress, parseAddress } from '../control/prefix.js';
import { parseDocument } from '../control/schema.js';
import type { SubnetSpec } from '../control/virtual-network.js';
import { addressPlan, freeAddresses, planOf, reservedFor } from './ipam.js';

/** The subnet as the validators complete it. */
function subnet(given: Record<string, unknown>): SubnetSpec {
  const raw = {
    apiVersion: 'vrouter/v1',
    kind: 'VirtualNetwork',
    metadata: { name: 'blue' },
    spec: { subnets: [given] },
  };
  const document = parseDocument(raw);
  if (document.kind !== 'VirtualNetwork') throw new Error('unreachable');
  return document.spec.subnets[0];
}

/** The first `n` addresses guests get. */
function given(spec: Record<string, unknown>, n: number, taken = new Set<string>()): string[] {
  const result: string[] = [];
  for (const address of freeAddresses(addressPlan(subnet(spec)), taken)) {
    if (result.push(address) === n) break;
  }
  return result;
}

test('from the start, .1 is the gateway, .2 the service address and .3 the first guest', (t) => {
  const plan = addressPlan(subnet({ prefix: '5.5.5.0/24' }));
  t.is(plan.gateway, '5.5.5.1');
  t.is(plan.serviceAddress, '5.5.5.2');
  t.deepEqual(given({ prefix: '5.5.5.0/24' }, 2), ['5.5.5.3', '5.5.5.4']);
});

test('from the end, .254 is the gateway, .253 the service address and .252 the first guest', (t) => {
  const plan = addressPlan(subnet({ prefix: '5.5.5.0/24', addrFromStart: false }));
  t.is(plan.gateway, '5.5.5.254');
  t.is(plan.serviceAddress, '5.5.5.253');
  t.deepEqual(given({ prefix: '5.5.5.0/24', addrFromStart: false }, 3), ['5.5.5.252', '5.5.5.251', '5.5.5.250']);
});

test('the first and the last address are never given', (t) => {
  t.deepEqual(given({ prefix: '5.5.5.0/29' }, 99), ['5.5.5.3', '5.5.5.4', '5.5.5.5', '5.5.5.6']);
});

test('an explicit gateway takes only that address', (t) => {
  const spec = { prefix: '192.168.4.0/24', gateway: '192.168.4.4' };
  t.is(addressPlan(subnet(spec)).serviceAddress, '192.168.4.2');
  t.deepEqual(given(spec, 3), ['192.168.4.1', '192.168.4.3', '192.168.4.5']);
});

test('an explicit service address leaves the default one to guests', (t) => {
  const spec = { prefix: '5.5.5.0/24', serviceAddress: '5.5.5.3' };
  t.is(addressPlan(subnet(spec)).gateway, '5.5.5.1');
  t.deepEqual(given(spec, 2), ['5.5.5.2', '5.5.5.4']);
});

test('0.0.0.0 or :: as gateway is no gateway, and .1 is free for a guest', (t) => {
  t.is(addressPlan(subnet({ prefix: '5.5.5.0/24', gateway: '0.0.0.0' })).gateway, undefined);
  t.deepEqual(given({ prefix: '5.5.5.0/24', gateway: '0.0.0.0' }, 2), ['5.5.5.1', '5.5.5.3']);
  t.is(addressPlan(subnet({ prefix: 'fd00:5::/64', gateway: '::' })).gateway, undefined);
});

test('only addresses of the pools are given, in the order of the pools', (t) => {
  const seed = {
    prefix: '192.168.4.0/24',
    gateway: '192.168.4.7',
    enableDhcp: false,
    allocationPools: [{ start: '192.168.4.50', end: '192.168.4.60' }],
  };
  t.deepEqual(given(seed, 1), ['192.168.4.50']);
  t.is(given(seed, 99).length, 11);

  const allocationPools = [
    { start: '5.5.5.20', end: '5.5.5.21' },
    { start: '5.5.5.10', end: '5.5.5.11' },
  ];
  t.deepEqual(given({ prefix: '5.5.5.0/24', allocationPools }, 9), ['5.5.5.20', '5.5.5.21', '5.5.5.10', '5.5.5.11']);
  t.deepEqual(given({ prefix: '5.5.5.0/24', allocationPools, addrFromStart: false }, 9), [
    '5.5.5.21',
    '5.5.5.20',
    '5.5.5.11',
    '5.5.5.10',
  ]);
});

test('gateway and service address inside a pool stay reserved', (t) => {
  const spec = {
    prefix: '5.5.5.0/24',
    gateway: '5.5.5.11',
    serviceAddress: '5.5.5.12',
    allocationPools: [{ start: '5.5.5.10', end: '5.5.5.13' }],
  };
  t.deepEqual(given(spec, 9), ['5.5.5.10', '5.5.5.13']);
});

test('DHCP off changes nothing in what is given', (t) => {
  t.deepEqual(given({ prefix: '5.5.5.0/24', enableDhcp: false }, 1), ['5.5.5.3']);
});

test('the lowest free address is given; one that was released comes back', (t) => {
  const taken = new Set(['5.5.5.3', '5.5.5.5']);
  t.deepEqual(given({ prefix: '5.5.5.0/24' }, 1, taken), ['5.5.5.4']);
  taken.delete('5.5.5.3');
  t.deepEqual(given({ prefix: '5.5.5.0/24' }, 1, taken), ['5.5.5.3']);
});

test('a subnet with no room gives nothing', (t) => {
  t.deepEqual(given({ prefix: '5.5.5.0/30' }, 1), []);
  t.deepEqual(given({ prefix: '5.5.5.0/29' }, 1, new Set(['5.5.5.3', '5.5.5.4', '5.5.5.5', '5.5.5.6'])), []);
});

test('IPv6 follows the same rules, in subnets of any size', (t) => {
  const plan = addressPlan(subnet({ prefix: 'fd00:5::/64' }));
  t.is(plan.gateway, 'fd00:5::1');
  t.is(plan.serviceAddress, 'fd00:5::2');
  t.deepEqual(given({ prefix: 'fd00:5::/64' }, 2), ['fd00:5::3', 'fd00:5::4']);
  t.deepEqual(given({ prefix: 'fd00:5::/64', addrFromStart: false }, 1), ['fd00:5::ffff:ffff:ffff:fffc']);
});

test('reserved addresses are told apart, all others are free to ask for', (t) => {
  const plan = addressPlan(subnet({ prefix: '5.5.5.0/24', allocationPools: [{ start: '5.5.5.50', end: '5.5.5.60' }] }));
  const reason = (text: string) => reservedFor(plan, parseAddress(text));
  t.is(reason('5.5.5.0'), 'the first address');
  t.is(reason('5.5.5.1'), 'the gateway');
  t.is(reason('5.5.5.2'), 'the service address');
  t.is(reason('5.5.5.255'), 'the last address');
  t.is(reason('5.5.5.3'), undefined);
});

test('an address belongs to the subnet that covers it', (t) => {
  const plans = [addressPlan(subnet({ prefix: '5.5.5.0/24' })), addressPlan(subnet({ prefix: 'fd00:5::/64' }))];
  t.is(planOf(plans, parseAddress('5.5.5.9')), plans[0]);
  t.is(planOf(plans, parseAddress('fd00:5::9')), plans[1]);
  t.is(planOf(plans, parseAddress('5.5.6.9')), undefined);
});

test('whatever the subnet, no address is given twice, outside, or although it is reserved', (t) => {
  const small = fc.record({
    length: fc.integer({ min: 24, max: 30 }),
    base: fc.nat(0xffff),
    fromStart: fc.boolean(),
    taken: fc.uniqueArray(fc.integer({ min: 0, max: 255 })),
    pool: fc.option(fc.tuple(fc.nat(255), fc.nat(255))),
    ipv6: fc.boolean(),
  });
  fc.assert(
    fc.property(small, ({ length, base, fromStart, taken, pool, ipv6 }) => {
      const size = 2 ** (32 - length);
      const first = ipv6 ? 0xfd00_0005n << 96n : BigInt(0x0a00_0000 + base * 256);
      const text = (n: number) => formatAddress(ipv6 ? 6 : 4, first + BigInt(n));
      const ends = pool?.map((n) => n % size).sort((a, b) => a - b);
      const spec = subnet({
        prefix: `${text(0)}/${ipv6 ? 96 + length : length}`,
        addrFromStart: fromStart,
        ...(ends ? { allocationPools: [{ start: text(ends[0]), end: text(ends[1]) }] } : {}),
      });
      const plan = addressPlan(spec);
      const takenSet = new Set(taken.map((n) => text(n)));
      const result = [...freeAddresses(plan, takenSet)];

      // The obvious model: every number of the subnet, less what is reserved, taken or outside the pool.
      const reserved = fromStart ? [0, 1, 2, size - 1] : [0, size - 3, size - 2, size - 1];
      const expected = Array.from({ length: size }, (_, n) => n)
        .filter((n) => !reserved.includes(n) && !taken.includes(n))
        .filter((n) => ends === undefined || (n >= ends[0] && n <= ends[1]))
        .map(text);
      t.deepEqual(result, fromStart ? expected : expected.reverse());
      t.true(result.every((address) => contains(plan.range, parseAddress(address))));
    }),
  );
});
