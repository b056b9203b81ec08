import test from 'ava';
import fc from 'fast-check';
import { linkDumpRequest, linkStatisticsRequest, readLinkMessages, readSendDrops } from './netlink.js';

// Captured from Linux 6.18 (little-endian) when `ip link add pio-a address 02:00:00:00:00:0a type veth` was undone: the datagram of
// RTM_DELLINK, cut after the broadcast address, with its length (first word) corrected.
const header = (type: string, flags = '0000'): string => `${type}${flags}0000000000000000`;
const body =
  '000001000300000002100000ffffffff0a00030070696f2d6100000008000d00e803000005001000020000000500110000000000050043000000000008000400' +
  'dc050000080032004400000008003300ffff000008001b000000000008001e000000000008003d000000000008001f000200000008002800ffff000008002900' +
  '0000010008003a000000010008003f0000000100080040000000010008003b00f8ff070008003c00ffff00000800420000000000080020000200000005002100' +
  '00000000080023000100000008002f000000000008003000010000000600440000000000060045000000000005002700000000000a00010002000000000a0000' +
  '0a000200ffffffffffff0000';

function message(type: string, flags?: string, content = body): Buffer {
  const rest = Buffer.from(header(type, flags) + content, 'hex');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(4 + rest.length);
  return Buffer.concat([length, rest]);
}

const NEW = '1000';
const DEL = '1100';
const DONE = '0300';
const ERROR = '0200';

const pioA = {
  ifindex: 3,
  name: 'pio-a',
  flags: 0x1002,
  up: false,
  carrier: false,
  operUp: false,
  mtu: 1500,
  address: '02:00:00:00:00:0a',
  alias: '',
  kind: '',
  peer: 0,
};

test('a captured message tells name, flags, MTU and address of the link that went', (t) => {
  t.deepEqual(readLinkMessages(message(DEL)), {
    changes: [{ type: 'dellink', link: pioA }],
    done: false,
    interrupted: false,
    error: 0,
  });
});

test('alias, kind and peer of a virtual link are read', (t) => {
  // IFLA_LINK 7; IFLA_IFALIAS "blue"; IFLA_LINKINFO, nested, with IFLA_INFO_KIND "veth" and an IFLA_INFO_DATA to skip.
  const extra = '0800050007000000' + '09001400626c756500000000' + '1400128009000100766574680000000008000280ffffffff';
  const [{ link }] = readLinkMessages(message(NEW, '0000', body + extra)).changes;
  t.deepEqual(link, { ...pioA, alias: 'blue', kind: 'veth', peer: 7 });
});

test('the flags of a link say whether it is up, has a carrier and can carry frames', (t) => {
  const up = body.replace('02100000', '43100100'); // IFF_UP, IFF_BROADCAST, IFF_RUNNING, IFF_MULTICAST, IFF_LOWER_UP
  const [{ type, link }] = readLinkMessages(message(NEW, '0000', up)).changes;
  t.is(type, 'newlink');
  t.deepEqual(link, { ...pioA, flags: 0x11043, up: true, carrier: true, operUp: true });
});

test('several messages of one datagram are read in order up to the end of the dump', (t) => {
  const { changes, done, interrupted } = readLinkMessages(
    Buffer.concat([message(NEW, '0200'), message(DEL, '1200'), message(DONE, '0200', '00000000')]),
  );
  t.deepEqual(
    changes.map(({ type }) => type),
    ['newlink', 'dellink'],
  );
  t.true(done);
  t.true(interrupted);
});

test('a refusal of the kernel is its errno', (t) => {
  t.is(readLinkMessages(message(ERROR, '0000', 'ffffffff')).error, 1);
});

test('a message of the bridge family is not about a link', (t) => {
  t.deepEqual(readLinkMessages(message(DEL, '0000', `07${body.slice(2)}`)).changes, []);
});

test('a message cut anywhere is not read beyond its end', (t) => {
  const whole = message(DEL);
  for (let n = 0; n < whole.length; n++) t.deepEqual(readLinkMessages(whole.subarray(0, n)).changes, []);
});

test('no bytes make the reading throw or run on', (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.nat(message(NEW).length - 1), fc.nat(255)).map(([at, value]) => {
      const changed = message(NEW);
      changed[at] = value;
      return changed;
    }),
  );
  t.notThrows(() => {
    fc.assert(
      fc.property(bytes, (b) => {
        readLinkMessages(b);
        readSendDrops(b);
      }),
    );
  });
});

test('the request asks for all links without their statistics', (t) => {
  t.is(
    Buffer.from(linkDumpRequest()).toString('hex'),
    '28000000' + '1200' + '0103' + '0000000000000000' + '00'.repeat(16) + '0800' + '1d00' + '08000000',
  );
});

test('the request for statistics names the link and the one set of counters wanted', (t) => {
  t.is(
    Buffer.from(linkStatisticsRequest(0x1234)).toString('hex'),
    '1c000000' + '5e00' + '0100' + '0000000000000000' + '00000000' + '34120000' + '01000000',
  );
});

test('the frames a link dropped are the eighth of its counters', (t) => {
  // RTM_NEWSTATS, if_stats_msg, IFLA_STATS_LINK_64 with 25 counters: 1, 2, 3 ...
  const counters = Buffer.alloc(25 * 8);
  for (let i = 0; i < 25; i++) counters.writeBigUInt64LE(BigInt(i + 1), i * 8);
  const statistics = message('5c00', '0000', '000000000300000001000000' + 'cc000100' + counters.toString('hex'));
  t.deepEqual(readSendDrops(statistics), { drops: 8, error: 0 });
  for (let n = 0; n < statistics.length; n++) t.deepEqual(readSendDrops(statistics.subarray(0, n)), { error: 0 });
  t.deepEqual(readSendDrops(message(ERROR, '0000', 'edffffff')), { error: 19 });
  t.deepEqual(readSendDrops(Buffer.concat([message(NEW), statistics])), { drops: 8, error: 0 });
});
