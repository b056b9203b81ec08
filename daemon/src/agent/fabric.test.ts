import test from 'ava';
import fc from 'fast-check';
import type { Route } from 'packet-io';
import { contains, parseAddress, parsePrefix } from '../control/prefix.js';
import { OPEN_NETWORK, UNRESTRICTED_PORT } from '../testing/plans.js';
import * as addr from '../wire/addr.js';
import { FABRIC, type NetworkPlan } from './compile.js';
import { fabricGuests, fabricRoutes, prefixesThrough } from './fabric.js';

const route = (prefix: string, more: Partial<Route> = {}): Route => {
  const [address, length] = prefix.split('/');
  const family = address.includes(':') ? 6 : 4;
  const rest = { table: 254, type: 1, protocol: 2, gateway: undefined, oif: 3, mtu: 0 };
  return { ...rest, family, destination: addr.parseAddress(address), length: Number(length), ...more };
};

test('prefixes of the underlay are those on the link and behind its routers, without the default route', (t) => {
  const routes = [
    route('10.9.0.0/16', { gateway: addr.parseAddress('10.0.0.254') }),
    route('10.0.0.0/24'),
    route('0.0.0.0/0', { gateway: addr.parseAddress('10.0.0.254') }),
    route('::/0'),
    route('fd00::/64'),
    route('fe80::/64'),
    route('ff00::/8'),
    route('10.3.0.0/24', { oif: 4 }),
    route('10.4.0.0/24', { type: 6 }),
    route('10.0.0.0/24', { protocol: 3 }),
  ];
  t.deepEqual(
    prefixesThrough(3, routes).map(({ family, prefix, length }) => `${family} ${prefix}/${length}`),
    ['inet 10.0.0.0/24', 'inet 10.9.0.0/16', 'inet6 fd00::/64'],
  );
});

function networkOf(id: number, subnets: readonly string[], addresses: readonly string[]): NetworkPlan {
  return {
    ...OPEN_NETWORK,
    name: `n${id}`,
    vrf: id,
    networkId: id,
    mode: 'l2_l3',
    floodUnknownUnicast: false,
    mtu: 1450,
    hostMac: '02:00:00:00:00:01',
    treeNexthop: id * 10,
    localTreeNexthop: id * 10 + 1,
    subnets: subnets.map((text) => {
      const [prefix, length] = text.split('/');
      return { family: 'inet' as const, prefix, length: Number(length), gateway: null, service: null };
    }),
    interfaces: addresses.map((address, i) => ({
      ...UNRESTRICTED_PORT,
      vif: 3 + i,
      l3Nexthop: id * 100 + i,
      l2Nexthop: id * 100 + 50 + i,
      device: `tap${i}`,
      mac: `02:00:00:00:0${id}:0${i}`,
      addresses: [address],
      dhcp: false,
    })),
  };
}

const prefixText = fc
  .tuple(fc.nat(3), fc.nat(3), fc.constantFrom(16, 24, 32))
  .map(([a, b, length]) =>
    length === 16 ? `10.${a}.0.0/16` : length === 24 ? `10.${a}.${b}.0/24` : `10.${a}.${b}.1/32`,
  );
const addressText = fc
  .tuple(fc.nat(3), fc.nat(3), fc.integer({ min: 1, max: 3 }))
  .map(([a, b, c]) => `10.${a}.${b}.${c}`);
const networks = fc
  .array(fc.tuple(fc.uniqueArray(prefixText, { maxLength: 2 }), fc.uniqueArray(addressText, { maxLength: 3 })), {
    maxLength: 3,
  })
  .map((list) => list.map(([subnets, addresses], i) => networkOf(i + 1, subnets, addresses)));

test('routes of the underlay are those a reader of the rules would write, whatever the order of the networks', (t) => {
  const prefixes = fc.uniqueArray(prefixText, { maxLength: 4 });
  fc.assert(
    fc.property(prefixes, networks, fc.boolean(), (texts, connected, reversed) => {
      const fabric = texts.map((text) => {
        const [prefix, length] = text.split('/');
        return { family: 'inet' as const, prefix, length: Number(length) };
      });
      const rows = fabricRoutes(fabric, reversed ? [...connected].reverse() : connected);
      const show = (vrf: number): string[] =>
        rows
          .filter((row) => row.vrf === vrf)
          .map(({ prefix, length, network, nexthop }) => `${prefix}/${length} ${network} ${nexthop}`)
          .sort();
      const host = `${FABRIC.network} 10`;
      const own = new Map(texts.map((text) => [text, host]));
      for (const { networkId, interfaces } of connected)
        for (const { addresses, l3Nexthop } of interfaces) {
          const key = `${addresses[0]}/32`;
          if (!own.has(key)) own.set(key, `${networkId} ${l3Nexthop}`);
        }
      t.deepEqual(show(FABRIC.vrf), [...own].map(([key, to]) => `${key} ${to}`).sort());
      for (const { vrf, subnets } of connected) {
        const inside = (text: string): boolean =>
          subnets.some(({ prefix, length }) => {
            const range = parsePrefix(`${prefix}/${length}`);
            const [first, bits] = text.split('/');
            return contains(range, parseAddress(first)) && Number(bits) >= length;
          });
        t.deepEqual(
          show(vrf),
          texts
            .filter((text) => !inside(text))
            .map((text) => `${text} ${host}`)
            .sort(),
        );
      }
      t.deepEqual(
        fabricGuests(connected),
        new Set(connected.flatMap(({ interfaces }) => interfaces.flatMap(({ addresses }) => addresses))),
      );
    }),
  );
});
