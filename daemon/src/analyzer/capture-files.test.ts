import test from 'ava';
import fc from 'fast-check';
import { CaptureFileError, CaptureReader } from './capture-reader.js';
import { formatComment, parseComment, parseDescription, type Said } from './comment.js';
import { DIRECTION, Frame } from './frame.js';
import { Origins } from './origins.js';
import { PcapWriter } from './pcap-writer.js';
import { PcapngWriter, type PcapngOptions } from './pcapng-writer.js';
import { SplitTime } from './time.js';
import { newInputStatistics, type Statistics } from './statistics.js';

/** A packet as a reader tells it, in values of its own. */
interface Read {
  readonly bytes: readonly number[];
  readonly originalLength: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly comment: string;
  readonly name: string;
  readonly description: string;
}

/** Reads a file that arrives in pieces of this size. */
function readAll(file: Uint8Array, piece = file.length): readonly Read[] {
  const packets: Read[] = [];
  const reader = new CaptureReader(() => {
    const { bytes, at, length, originalLength, seconds, nanoseconds, comment } = reader.packet;
    const { name, description } = reader.packet.interface;
    const data = [...bytes.subarray(at, at + length)];
    packets.push({ bytes: data, originalLength, seconds, nanoseconds, comment, name, description });
  });
  let from = 0;
  for (let end = 0; end < file.length;) {
    end = Math.min(end + piece, file.length);
    from += reader.read(file.subarray(from, end));
  }
  return packets;
}

/** Gathers what a writer writes. */
class Gathered {
  readonly #parts: Buffer[] = [];
  readonly write = (bytes: Uint8Array, at: number, length: number): void => {
    this.#parts.push(Buffer.from(bytes.subarray(at, at + length)));
  };
  get file(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#parts));
  }
}

const someName = fc.string({ unit: fc.constantFrom('a', 'b', ':', ';', '=', '%', 'ü', ' '), maxLength: 20 });
const someSaid: fc.Arbitrary<Said> = fc
  .record({
    direction: fc.constantFrom(...Object.values(DIRECTION)),
    host: fc.constantFrom('', '192.0.2.1', '2001:db8::1'),
    sourceNetwork: fc.option(someName),
    destinationNetwork: fc.option(someName),
    flags: fc.oneof(fc.constant(-1), fc.nat(0x7fff_ffff), fc.constant(0xffff_ffff)),
    format: fc.constantFrom('tlv', 'vxlan', 'raw'),
    identifier: fc.option(fc.constantFrom('7', '7/9')),
  })
  .map((said) => ({
    ...said,
    port: 0,
    kind: said.flags >= 0 ? 'flow' : (said.sourceNetwork ?? said.destinationNetwork) ? 'port' : 'none',
  }))
  .map((said) => ({
    ...said,
    kind:
      said.kind === 'none' && (said.sourceNetwork !== null || said.destinationNetwork !== null) ? 'port' : said.kind,
  })) as fc.Arbitrary<Said>;

interface Given {
  readonly said: Said;
  readonly bytes: Uint8Array;
  readonly cut: number;
  readonly seconds: number;
  readonly nanoseconds: number;
}
const someFrames: fc.Arbitrary<Given[]> = fc.array(
  fc.record({
    said: someSaid,
    bytes: fc.uint8Array({ minLength: 14, maxLength: 300 }),
    cut: fc.nat(100),
    seconds: fc.nat(0xffff_ffff),
    nanoseconds: fc.nat(999_999_999),
  }),
  { maxLength: 8 },
);

/** Frames to a writer, from an offset of their own as they come from inputs. */
function feed(given: readonly Given[], sink: { frame(frame: Frame): void }, origins: Origins): void {
  const frame = new Frame();
  for (const [i, { said, bytes, cut, seconds, nanoseconds }] of given.entries()) {
    frame.bytes = new Uint8Array(bytes.length + i + 3).fill(0xa5);
    frame.bytes.set(bytes, i);
    frame.at = i;
    frame.length = bytes.length;
    frame.originalLength = bytes.length + cut;
    frame.seconds = seconds;
    frame.nanoseconds = nanoseconds;
    frame.origin = origins.make(0, said);
    sink.frame(frame);
  }
}

test('frames written as pcapng read back with their bytes, times, interfaces and comments, in pieces of any size', (t) => {
  fc.assert(
    fc.property(someFrames, fc.integer({ min: 1, max: 400 }), fc.nat(60), (given, piece, snapLength) => {
      const gathered = new Gathered();
      const writer = new PcapngWriter(gathered.write, { snapLength });
      feed(given, writer, new Origins('a b'));
      writer.close();
      const expected = given.map(({ said, bytes, cut, seconds, nanoseconds }) => {
        const one = new Origins('a b').make(0, said);
        const kept = snapLength === 0 ? bytes : bytes.subarray(0, snapLength);
        return {
          ...{ bytes: [...kept], originalLength: bytes.length + cut, seconds, nanoseconds },
          ...{ comment: one.comment, name: one.interface.name, description: one.interface.description },
        };
      });
      t.deepEqual(readAll(gathered.file, piece), expected);
      t.is(gathered.file.length, writer.bytes);
    }),
  );
});

test('a snap length above the room for blocks does not throw for a packet of that length', (t) => {
  const gathered = new Gathered();
  const writer = new PcapngWriter(gathered.write, { snapLength: 16 << 20 });
  const origins = new Origins('');
  const frame = new Frame();
  frame.bytes = new Uint8Array(3 << 20).fill(7);
  frame.length = frame.originalLength = frame.bytes.length;
  frame.origin = origins.make(0, { ...frame.origin, sourceNetwork: 'a' });
  writer.frame(frame);
  writer.close();
  const [{ bytes, originalLength }] = readAll(gathered.file);
  t.deepEqual([bytes.length, originalLength], [262_144, 3 << 20]);
});

test('frames written as pcap read back, in microseconds and in nanoseconds', (t) => {
  fc.assert(
    fc.property(
      someFrames,
      fc.integer({ min: 1, max: 400 }),
      fc.constantFrom('us', 'ns'),
      (given, piece, resolution) => {
        const gathered = new Gathered();
        const writer = new PcapWriter(gathered.write, { resolution });
        feed(given, writer, new Origins(''));
        writer.close();
        const unit = resolution === 'us' ? 1000 : 1;
        const expected = given.map(({ bytes, cut, seconds, nanoseconds }) => ({
          ...{ bytes: [...bytes], originalLength: bytes.length + cut, seconds },
          ...{ nanoseconds: nanoseconds - (nanoseconds % unit), comment: '', name: '', description: '' },
        }));
        t.deepEqual(readAll(gathered.file, piece), expected);
      },
    ),
  );
});

test('a comment says what is known, and reads back', (t) => {
  const said: Said = {
    ...{ format: 'tlv', kind: 'flow', direction: DIRECTION.ingress, host: '192.0.2.1', flags: 0x4000_00a0 },
    ...{ sourceNetwork: 'default-domain:a:b', destinationNetwork: 'default-domain:a:c;d', identifier: null, port: 0 },
  };
  t.is(
    formatComment(said),
    'dir=ingress;host=192.0.2.1;action=pass,mirror;flags=0x400000a0;src_vn=default-domain:a:b;dst_vn=default-domain:a:c%3bd',
  );
  fc.assert(
    fc.property(someSaid, (one) => {
      t.deepEqual(parseComment(formatComment(one)), one);
    }),
  );
  t.is(parseComment('a comment of somebody'), null);
  t.like(parseDescription('analyzer=x y port=8099 kind=port'), { port: 8099, keepsHeaders: false });
  t.is(parseDescription('eth0'), null);
});

test('times are split into two words exactly', (t) => {
  const split = new SplitTime();
  fc.assert(
    fc.property(fc.nat(0xffff_ffff), fc.nat(999_999_999), (seconds, nanoseconds) => {
      split.split(seconds, nanoseconds);
      t.is((BigInt(split.high) << 32n) | BigInt(split.low), BigInt(seconds) * 10n ** 9n + BigInt(nanoseconds));
    }),
  );
});

/** Words of 32 bits in the other byte order than ours, bytes as they are. */
const big = (...parts: readonly (number | readonly number[])[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === 'number' ? [part >>> 24, (part >>> 16) & 255, (part >>> 8) & 255, part & 255] : [...part],
    ),
  );

test('files of the other byte order are read, with any resolution of time', (t) => {
  const data = [1, 2, 3, 4];
  const packet = { bytes: data, originalLength: 9, comment: '', name: '', description: '' };
  const pcap = big(0xa1b2c3d4, 0x0002_0004, 0, 0, 65535, 1, 7, 1234, 4, 9, data);
  t.deepEqual(readAll(pcap, 5), [{ ...packet, seconds: 7, nanoseconds: 1_234_000 }]);
  const nanoseconds = big(0xa1b23c4d, 0x0002_0004, 0, 0, 65535, 1, 7, 1234, 4, 9, data);
  t.deepEqual(readAll(nanoseconds), [{ ...packet, seconds: 7, nanoseconds: 1234 }]);

  const section = big(0x0a0d0d0a, 28, 0x1a2b3c4d, 0x0001_0000, 0xffff_ffff, 0xffff_ffff, 28);
  // Resolution 2^-10, 100 seconds later than it says.
  const options = big([0, 9, 0, 1, 0x8a, 0, 0, 0, 0, 14, 0, 8], 0, 100, 0);
  const description = big(1, 20 + options.length, 0x0001_0000, 0, [...options], 20 + options.length);
  const enhanced = big(6, 36, 0, 0, 3 * 1024 + 512, 4, 9, data, 36);
  const simple = big(3, 20, 9, data, 20);
  const other = big(0xbad, 16, 1, 16);
  const file = Uint8Array.of(...section, ...description, ...other, ...enhanced, ...simple, ...section);
  t.deepEqual(readAll(file, 7), [
    { ...packet, seconds: 103, nanoseconds: 500_000_000 },
    { ...packet, seconds: 0, nanoseconds: 0 },
  ]);
  t.throws(() => readAll(Uint8Array.of(...file, ...enhanced)), {
    instanceOf: CaptureFileError,
    message: /interface 0/,
  });
});

test('what is no capture file, or a damaged one, is refused', (t) => {
  const writer = (options: PcapngOptions): Uint8Array => {
    const gathered = new Gathered();
    new PcapngWriter(gathered.write, options).close();
    return gathered.file;
  };
  const file = writer({});
  t.deepEqual(readAll(file), []);
  const damages: readonly (readonly [number, number, RegExp])[] = [
    [0, 0xff, /no pcap/],
    [4, 0x01, /a block of/],
    [8, 0x00, /byte order/],
    [12, 0x02, /version/],
    [file.length - 4, 0x01, /lengths/],
  ];
  for (const [at, value, message] of damages) {
    const damaged = file.slice();
    damaged[at] = value;
    t.throws(() => readAll(damaged), { instanceOf: CaptureFileError, message });
  }
});

test('any bytes are read or refused, and never anything behind them', (t) => {
  const gathered = new Gathered();
  const writer = new PcapngWriter(gathered.write);
  feed(fc.sample(someFrames, { seed: 7, numRuns: 3 }).flat(), writer, new Origins(''));
  writer.close();
  const file = gathered.file;
  const change = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const damaged = file.slice();
      for (const [at, value] of changes) damaged[at] = value;
      const reader = new CaptureReader(() => {
        const { bytes, at, length } = reader.packet;
        t.true(at >= 0 && length >= 0 && at + length <= bytes.length);
      });
      try {
        t.true(reader.read(damaged) <= damaged.length);
      } catch (error) {
        t.true(error instanceof CaptureFileError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('counters at the end are what happened since the file began, and losses are told once', (t) => {
  const origins = new Origins('x');
  const input = newInputStatistics('udp');
  input.kernelDrops = 5;
  const statistics: Statistics = {
    ...{ startedAt: 0, inputs: [input], interfaces: origins.interfaces, filtered: 0, delivered: 0 },
  };
  const gathered = new Gathered();
  const writer = new PcapngWriter(gathered.write, { statistics });
  const [given] = fc.sample(someFrames, { seed: 1, numRuns: 20 }).filter((frames) => frames.length > 4);
  feed(given, writer, origins);
  input.kernelDrops = 12;
  writer.close();
  // Option 7 of interface statistics, 8 bytes.
  const drops: number[] = [];
  const { file } = gathered;
  const view = new DataView(file.buffer);
  for (let at = 0; at < file.length; at += view.getUint32(at + 4, true)) {
    if (view.getUint32(at, true) !== 5) continue;
    for (let p = at + 20; view.getUint16(p, true) !== 0; p += 4 + view.getUint16(p + 2, true)) {
      if (view.getUint16(p, true) === 7) drops.push(Number(view.getBigUint64(p + 4, true)));
    }
  }
  t.is(drops.length, new Set(given.map(({ said }) => origins.make(0, said).interface)).size);
  t.is(
    drops.reduce((sum, one) => sum + one, 0),
    7,
  );
});
