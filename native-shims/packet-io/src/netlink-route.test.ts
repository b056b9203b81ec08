import test from 'ava';
import fc from 'fast-check';
import { dumpRequest, neighbourUseRequest, readRouteMessages, routeRequest } from './netlink-route.js';

// Captured from Linux 6.18 (little-endian) while `ip route`, `ip neigh` and `ip address` changed what is named.
const VIA_GATEWAY =
  '48000000180000069952006bcc1f000002100000fe0300010000000008000f00fe000000080001000a0900000c000800080002007805000008000500' +
  '0a0000020800040003000000';
const VIA_IPV6 =
  '4c000000180000069952006bcd1f000002100000fe0300010000000008000f00fe000000080001000a080000160012000a00fe8000000000000000000' +
  '0000000000200000800040003000000';
const MULTIPATH =
  '50000000180000069952006bce1f000002100000fe0300010000000008000f00fe000000080001000a07000024000900100000000300000008000500' +
  '0a0000031000000003000000080005000a000004';
const ANSWER =
  '7c00000018000000000000002c9cf9a702202000fe0000010002000008000f00fe000000080001000a090101080002000a000001080004000300000008' +
  '0005000a0000020c0008000800020078050000080019000000000024000c000200000000000000000000000000000000000000000000000000000000000000';
const REFUSED =
  '4000000002000000000000002c9cf9a79bffffff2c0000001a00010000000000000000000220200000000000000000000800010009090909080002000a000001';
const STALE =
  '4c0000001c00000000000000d01f0000020000000300000004000001080001000a0000020a00020002000000000200000800040004000000140003007017' +
  '00001e0000000000000001000000';
const GONE =
  '4c0000001d0000000000000000000000020000000300000008000001080001000a0000020a0002000200000000020000080004000400000014000300701' +
  '70000000000000000000000000000';
const ADDRESS_GONE =
  '4c000000150000009952006bd21f00000218800003000000080001000a000001080002000a0000010700030075610000080008008000000014000600ffff' +
  'ffffffffffffc0b32400c0b32400';
const DONE = '1400000003000200000000002c9cf9a700000000';

const read = (...hex: readonly string[]) => readRouteMessages(Buffer.from(hex.join(''), 'hex'));
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
const common = { family: 4, table: 254, type: 1, protocol: 3, oif: 3, mtu: 0 } as const;

test('a captured route tells destination, gateway, interface and MTU', (t) => {
  t.deepEqual(read(VIA_GATEWAY), {
    news: [
      {
        type: 'newroute',
        route: { ...common, destination: bytes(10, 9, 0, 0), length: 16, gateway: bytes(10, 0, 0, 2), mtu: 1400 },
      },
    ],
    done: false,
    interrupted: false,
    error: undefined,
  });
});

test('the gateway of an IPv4 route may have an IPv6 address', (t) => {
  const gateway = bytes(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
  t.deepEqual(read(VIA_IPV6).news, [
    { type: 'newroute', route: { ...common, destination: bytes(10, 8, 0, 0), length: 16, gateway } },
  ]);
});

test('a route with several next hops is told with the first', (t) => {
  const route = { ...common, destination: bytes(10, 7, 0, 0), length: 16, gateway: bytes(10, 0, 0, 3) };
  t.deepEqual(read(MULTIPATH).news, [{ type: 'newroute', route }]);
});

test('the answer to the question for a route is the route, or the errno of its absence', (t) => {
  const route = { ...common, destination: bytes(10, 9, 1, 1), length: 32, gateway: bytes(10, 0, 0, 2), mtu: 1400 };
  t.deepEqual(read(ANSWER).news, [{ type: 'newroute', route: { ...route, protocol: 0 } }]);
  t.is(read(REFUSED).error, 101);
  t.deepEqual(read(REFUSED).news, []);
});

test('a neighbour is known while its MAC may be used, and stale when nobody confirmed it', (t) => {
  const neighbour = { ifindex: 3, address: bytes(10, 0, 0, 2), mac: '02:00:00:00:00:02', stale: true };
  t.deepEqual(read(STALE, DONE), {
    news: [{ type: 'newneighbour', neighbour }],
    done: true,
    interrupted: false,
    error: 0,
  });
  t.deepEqual(read(GONE).news, [{ type: 'delneighbour', neighbour: { ...neighbour, stale: false } }]);
  for (const [state, mac] of [
    ['0100', ''], // incomplete
    ['2000', ''], // failed
    ['0200', neighbour.mac], // reachable
    ['0800', neighbour.mac], // delay
    ['1000', neighbour.mac], // probe
    ['8000', neighbour.mac], // permanent
  ]) {
    const changed = STALE.slice(0, 48) + state + STALE.slice(52);
    t.deepEqual(read(changed).news, [{ type: 'newneighbour', neighbour: { ...neighbour, mac, stale: false } }]);
  }
});

test('an address that goes is told with its interface', (t) => {
  const address = { ifindex: 3, address: bytes(10, 0, 0, 1), length: 24 };
  t.deepEqual(read(ADDRESS_GONE).news, [{ type: 'deladdress', address }]);
});

test('a neighbour of a bridge (its forwarding table) is none of IP', (t) => {
  t.deepEqual(read(STALE.slice(0, 32) + '07' + STALE.slice(34)).news, []);
});

test('a message cut anywhere is not read beyond its end, and no bytes make the reading throw', (t) => {
  for (const hex of [VIA_GATEWAY, VIA_IPV6, MULTIPATH, STALE, ADDRESS_GONE]) {
    const whole = Buffer.from(hex, 'hex');
    for (let n = 0; n < whole.length; n++) t.deepEqual(readRouteMessages(whole.subarray(0, n)).news, []);
    const changed = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, value]) => {
      const copy = Buffer.from(whole);
      copy[at] = value;
      return copy;
    });
    t.notThrows(() => {
      fc.assert(
        fc.property(changed, (b) => {
          readRouteMessages(b);
        }),
      );
    });
  }
});

test('the requests are those that ip sends', (t) => {
  t.is(
    Buffer.from(routeRequest(bytes(10, 9, 1, 1), bytes(10, 0, 0, 1))).toString('hex'),
    '2c0000001a000100' + '0000000000000000' + '022020000000000000000000' + '080001000a090101' + '080002000a000001',
  );
  t.is(Buffer.from(dumpRequest('neighbours')).toString('hex'), '1c0000001e000103' + '00'.repeat(20));
  t.is(
    Buffer.from(neighbourUseRequest(3, bytes(10, 0, 0, 2))).toString('hex'),
    '240000001c000505' + '0000000000000000' + '02000000' + '03000000' + '00000100' + '080001000a000002',
  );
});
