import test from 'ava';
import fc from 'fast-check';
import { hex } from '../testing/hex.js';
import * as metadata from './mirror-metadata.js';
import { FAULT, MirrorMetadata } from './mirror-metadata.js';

const NETWORK = 'default-domain:tim:traffic-net';
const NETWORK_HEX = '64 65 66 61 75 6c 74 2d 64 6f 6d 61 69 6e 3a 74 69 6d 3a 74 72 61 66 66 69 63 2d 6e 65 74';
const HOST = hex('c0 a8 c8 0b');
/** Ethernet header of an ARP frame: the least there is behind metadata. */
const FRAME = hex('ff ff ff ff ff ff 02 f8 65 91 36 11 08 06');

const text = (b: Uint8Array): string => Buffer.from(b).toString();

/** What a list says, as values of its own. */
function read(b: Uint8Array, at = 0, end = b.length): object {
  const found = new MirrorMetadata();
  const frameAt = metadata.parse(b, at, end, found);
  const value = (from: number, length: number): string | null =>
    from < 0 ? null : text(b.subarray(from, from + length));
  return {
    frameAt,
    host: found.hostAt < 0 ? null : [...b.subarray(found.hostAt, found.hostAt + found.hostLen)],
    flags: found.flags,
    source: value(found.sourceAt, found.sourceLen),
    destination: value(found.destinationAt, found.destinationLen),
  };
}

const fault = (b: Uint8Array): number => metadata.parse(b, 0, b.length, new MirrorMetadata());

function flow(host: Uint8Array, flags: number, source: string, destination: string): Uint8Array {
  const b = new Uint8Array(metadata.MAX_LEN + 7).fill(0xa5);
  const end = metadata.writeFlow(b, 7, host, flags, metadata.encodeName(source), metadata.encodeName(destination));
  return b.slice(7, end);
}

test('metadata of a port is its network and the direction, as in the example of Contrail', (t) => {
  t.deepEqual(metadata.ofPort(true, NETWORK), hex(`03 1e ${NETWORK_HEX} ff 00`));
  t.deepEqual(metadata.ofPort(false, NETWORK), hex(`04 1e ${NETWORK_HEX} ff 00`));
  t.is(metadata.ofPort(true, NETWORK).length, 34);
});

test('metadata of a flow is host, flags and both networks', (t) => {
  const flags = metadata.ACTION.ingress | metadata.ACTION.pass | metadata.ACTION.mirror;
  t.deepEqual(
    flow(HOST, flags, 'a:b:c', 'd:e'),
    hex('01 04 c0 a8 c8 0b 02 04 40 00 00 a0 03 05 61 3a 62 3a 63 04 03 64 3a 65 ff 00'),
  );
});

test('metadata is read back where it lies', (t) => {
  const list = [0xa5, ...flow(HOST, 0x4000_00a0, 'a:b:c', ''), ...FRAME];
  t.deepEqual(read(Uint8Array.from(list), 1), {
    frameAt: 1 + 18 + 5,
    host: [...HOST],
    flags: 0x4000_00a0,
    source: 'a:b:c',
    destination: '',
  });
  t.deepEqual(read(Uint8Array.of(...metadata.NOTHING, ...FRAME)), {
    frameAt: 2,
    host: null,
    flags: -1,
    source: null,
    destination: null,
  });
});

test('flags of two bytes are read, and those with the highest bit are no negative number', (t) => {
  const of = (flags: string): Uint8Array => Uint8Array.of(...hex(flags), ...metadata.NOTHING, ...FRAME);
  t.like(read(of('02 02 00 a0')), { frameAt: 6, flags: 0xa0 });
  t.like(read(of('02 04 ff ff ff ff')), { frameAt: 8, flags: 0xffff_ffff });
});

test('what is not metadata is told by its fault', (t) => {
  const frame = Buffer.from(FRAME).toString('hex');
  const faults: readonly (readonly [string, number])[] = [
    ['', FAULT.noEnd],
    ['03', FAULT.noEnd],
    ['03 01 61', FAULT.noEnd],
    ['03 05 61', FAULT.badLength],
    [`01 05 00 00 00 00 00 ff 00 ${frame}`, FAULT.badLength],
    [`02 00 ff 00 ${frame}`, FAULT.badLength],
    [`ff 01 00 ${frame}`, FAULT.badLength],
    [`09 01 61 ff 00 ${frame}`, FAULT.unknownType],
    [`00 00 ff 00 ${frame}`, FAULT.unknownType],
    [`45 00 00 54`, FAULT.unknownType],
    [`03 01 61 03 01 61 ff 00 ${frame}`, FAULT.duplicate],
    [`02 02 00 00 02 02 00 00 ff 00 ${frame}`, FAULT.duplicate],
    [`01 04 01 02 03 04 01 04 01 02 03 04 ff 00 ${frame}`, FAULT.duplicate],
    ['03 01 61 ff 00', FAULT.noFrame],
    [`ff 00 ${frame.slice(2)}`, FAULT.noFrame],
  ];
  for (const [bytes, expected] of faults) t.is(fault(hex(bytes)), expected, bytes);
});

test('names of any length give metadata of at most 255 bytes that reads back to them or their beginnings', (t) => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', ':', '-', '7'), maxLength: 300 });
  const host = fc.constantFrom(HOST, hex('20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01'));
  fc.assert(
    fc.property(name, name, host, fc.nat(0xffff_ffff), fc.boolean(), (source, destination, at, flags, isFromGuest) => {
      const list = flow(at, flags, source, destination);
      t.true(list.length <= metadata.MAX_LEN);
      const full = 14 + at.length + source.length + destination.length;
      const found = read(Uint8Array.of(...list, ...FRAME)) as { source: string; destination: string };
      t.like(found, { frameAt: list.length, host: [...at], flags });
      t.true(source.startsWith(found.source) && destination.startsWith(found.destination));
      t.is(list.length, Math.min(full, metadata.MAX_LEN));

      const port = metadata.ofPort(isFromGuest, source);
      t.is(port.length, Math.min(source.length, 251) + 4);
      const cut = source.slice(0, 251);
      const side = isFromGuest ? { source: cut, destination: null } : { source: null, destination: cut };
      t.like(read(Uint8Array.of(...port, ...FRAME)), { frameAt: port.length, ...side });
    }),
  );
});

test('any bytes are either refused or taken for a list whose parts lie in them', (t) => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc
      .tuple(fc.constantFrom(1, 2, 3, 4, 255, 9), fc.nat(6))
      .map(([type, length]) => Uint8Array.of(type, length, ...new Uint8Array(length))),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.nat(20), (pieces, rest) => {
      const b = Uint8Array.from([...pieces.flatMap((bytes) => [...bytes]), ...new Uint8Array(rest)]);
      t.deepEqual(read(b), slowly([...b]));
    }),
    { numRuns: 2000 },
  );
});

/** The same reading by the definition. */
function slowly(bytes: readonly number[]): object {
  const found = new Map<number, number[]>();
  const result = (frameAt: number): object => {
    const value = (type: number): string | null => {
      const of = found.get(type);
      return of ? text(Uint8Array.from(of)) : null;
    };
    const flags = found.get(2)?.reduce((all, byte) => all * 256 + byte, 0) ?? -1;
    return { frameAt, host: found.get(1) ?? null, flags, source: value(3), destination: value(4) };
  };
  const legal: Readonly<Record<number, (length: number) => boolean>> = {
    1: (length) => length === 4 || length === 16,
    2: (length) => length === 2 || length === 4,
    3: () => true,
    4: () => true,
  };
  let left = bytes;
  let at = 0;
  while (left.length >= 2) {
    const [type, length] = left;
    const value = left.slice(2, 2 + length);
    if (type === 255) return result(length !== 0 ? FAULT.badLength : left.length < 16 ? FAULT.noFrame : at + 2);
    if (!(type in legal)) return result(FAULT.unknownType);
    if (value.length < length) return result(FAULT.badLength);
    if (found.has(type)) return result(FAULT.duplicate);
    if (!legal[type](length)) return result(FAULT.badLength);
    found.set(type, value);
    left = left.slice(2 + length);
    at += 2 + length;
  }
  return result(FAULT.noEnd);
}
