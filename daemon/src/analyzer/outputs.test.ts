import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Exit } from '../cli/exit.js';
import { eth } from '../testing/packet-builder.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { parseAnalyzer } from './args.js';
import { CaptureReader } from './capture-reader.js';
import { FileSink, PerNetworkSink, RingSink, type FileOptions, type RingOptions } from './file-sinks.js';
import { DIRECTION, Frame } from './frame.js';
import { Session } from './session.js';
import { problemLines, statisticsText, TextSink } from './text-view.js';

const ARP = eth({ src: '02:00:00:00:00:01', dst: 'ff:ff:ff:ff:ff:ff' })
  .arp({ op: 1, senderMac: '02:00:00:00:00:01', senderIp: '10.0.0.1', targetIp: '10.0.0.2' })
  .bytes();

const NO_RING: RingOptions = { bytes: 0, seconds: 0, frames: 0, files: 0 };

/** A frame of a network, at a time. */
function frameOf(session: Session, network: string, seconds = 0): Frame {
  const frame = new Frame();
  frame.bytes = ARP;
  frame.length = frame.originalLength = ARP.length;
  frame.seconds = seconds;
  frame.nanoseconds = 5;
  frame.origin = session.origins.make(0, {
    ...{ format: 'tlv', kind: 'port', direction: DIRECTION.ingress, host: '192.0.2.1', flags: -1, identifier: null },
    ...{ sourceNetwork: network, destinationNetwork: null, port: 8099 },
  });
  return frame;
}

function framesIn(path: string): number {
  let count = 0;
  const file = readFileSync(path);
  const reader = new CaptureReader(() => count++);
  const read = reader.read(file);
  return read === file.length ? count : -1;
}

const optionsOf = (path: string, session: Session): FileOptions => ({
  ...{ path, format: 'pcapng', snapLength: 0, keepHeaders: false, statistics: session.statistics },
});

test('a file is readable after every flush', (t) => {
  const session = new Session();
  const path = join(temporaryFolder(t), 'a.pcapng');
  const sink = new FileSink(optionsOf(path, session));
  t.is(framesIn(path), 0);
  for (let count = 1; count <= 3; count++) {
    sink.frame(frameOf(session, 'a:b:c'));
    sink.flush();
    t.is(framesIn(path), count);
  }
  sink.close();
  t.is(framesIn(path), 3);
});

test('a ring begins its next file by frames, bytes or time, and keeps so many', (t) => {
  const run = (ring: Partial<RingOptions>): readonly number[] => {
    const folder = temporaryFolder(t);
    const session = new Session();
    let now = Date.UTC(2026, 10, 20);
    const sink = new RingSink(optionsOf(join(folder, 'r.pcapng'), session), { ...NO_RING, ...ring }, () => now);
    for (let i = 0; i < 10; i++) {
      sink.frame(frameOf(session, 'a:b:c'));
      now += 1000;
    }
    sink.close();
    const names = readdirSync(folder).sort();
    t.true(
      names.every((name) => /^r_\d{5}_20261120\d{6}\.pcapng$/.test(name)),
      names.join(' '),
    );
    return names.map((name) => framesIn(join(folder, name)));
  };
  t.deepEqual(run({ frames: 3 }), [3, 3, 3, 1]);
  t.deepEqual(run({ frames: 3, files: 2 }), [3, 1]);
  t.deepEqual(run({ seconds: 4 }), [4, 4, 2]);
  t.deepEqual(
    run({ bytes: 600, files: 100 }).reduce((sum, one) => sum + one, 0),
    10,
  );
  t.true(run({ bytes: 600 }).length > 2);
});

test('a file whose time is over ends although nothing comes', (t) => {
  const folder = temporaryFolder(t);
  const session = new Session();
  let now = 0;
  const sink = new RingSink(optionsOf(join(folder, 'r.pcapng'), session), { ...NO_RING, seconds: 2 }, () => now);
  sink.frame(frameOf(session, 'a:b:c'));
  now = 2000;
  sink.statistics();
  t.is(readdirSync(folder).length, 2);
  now = 9000;
  sink.statistics();
  t.is(readdirSync(folder).length, 2, 'an empty file is not ended');
  sink.close();
});

test('each network has a file, also those whose names look alike in a file system', (t) => {
  const folder = temporaryFolder(t);
  const session = new Session();
  const path = join(folder, 'n.pcapng');
  const sink = new PerNetworkSink(path, (to) => new FileSink(optionsOf(to, session)));
  for (const network of ['d:p:a', 'd:p:b', 'd/p/a', 'd:p:a', '']) sink.frame(frameOf(session, network));
  sink.flush();
  sink.close();
  const counts = Object.fromEntries(readdirSync(folder).map((name) => [name, framesIn(join(folder, name))]));
  t.deepEqual(counts, { 'n-d_p_a.pcapng': 2, 'n-d_p_b.pcapng': 1, 'n-d_p_a-2.pcapng': 1, 'n-unknown.pcapng': 1 });
});

test('a frame is a line of text, with addresses of its link when they are asked for, or of JSON', (t) => {
  const shown = (form: { json: boolean; linkLevel: boolean }): string => {
    let text = '';
    const session = new Session();
    const sink = new TextSink((more) => (text += more), form);
    sink.frame(frameOf(session, 'default-domain:tim:red', 1_700_000_000));
    sink.close();
    return text;
  };
  t.regex(
    shown({ json: false, linkLevel: false }),
    /^\d\d:\d\d:20\.000000005 -> red 192\.0\.2\.1: ARP who-has 10\.0\.0\.2 tell 10\.0\.0\.1, length 42\n$/,
  );
  t.regex(shown({ json: false, linkLevel: true }), /: 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ARP /);
  t.like(JSON.parse(shown({ json: true, linkLevel: false })) as object, {
    ...{ time: '2023-11-14T22:13:20.000000005Z', direction: 'ingress', kind: 'port', host: '192.0.2.1', flags: null },
    ...{ network: 'default-domain:tim:red', interface: 'default-domain:tim:red@192.0.2.1', length: 42, captured: 42 },
  });
});

test('a session counts by interface and direction, filters, ends at its count, and tells what it could not decode', async (t) => {
  const session = new Session({ count: 2, accepts: ({ origin }) => origin.port !== 7 });
  const decoder = session.addInput('udp');
  const taken: number[] = [];
  session.addSink({
    frame: ({ length }) => taken.push(length),
    flush: () => undefined,
    statistics: () => undefined,
    close: () => undefined,
  });
  const give = (port: number, ...head: number[]): void => {
    decoder.carrier.port = port;
    const b = Uint8Array.of(...head, ...ARP);
    decoder.payload('tlv', b, 0, b.length, b.length);
  };
  give(7, 3, 1, 65, 255, 0);
  give(8, 3, 1, 65, 255, 0);
  give(8, 9, 0);
  t.false(session.isDone());
  give(8, 4, 1, 65, 255, 0);
  give(8, 4, 1, 65, 255, 0);
  await session.done;
  t.deepEqual(taken, [42, 42]);
  t.like(session.statistics, { delivered: 2, filtered: 1 });
  t.deepEqual(
    session.statistics.interfaces.map(({ packets }) => [...packets]),
    [
      [0, 1, 0],
      [0, 1, 1],
    ],
  );
  t.deepEqual(problemLines(session.statistics), ['udp: 1 malformed: metadata of an unknown type']);
  t.regex(
    statisticsText(session.statistics),
    /A \(analyzer=analyzer port=8 kind=port\): ingress 1 \(42 bytes\), egress 1 \(42 bytes\)/,
  );
});

test('the command line says where packets come from and where frames go', (t) => {
  t.like(parseAnalyzer([]), { ports: [], show: 'text', write: null, format: null, count: Infinity });
  const args = parseAnalyzer(
    '-p 8888 -p 30030 -p 5000=raw -w x.pcapng --rotate-size 10M --ring-files 3 --vn a --vn b --direction egress -c 7'.split(
      ' ',
    ),
  );
  t.like(args, { show: 'nothing', write: 'x.pcapng', direction: DIRECTION.egress, count: 7, networks: ['a', 'b'] });
  t.deepEqual(args.ports, [
    { port: 8888, format: 'tlv' },
    { port: 30030, format: 'jmirror' },
    { port: 5000, format: 'raw' },
  ]);
  t.deepEqual(args.ring, { bytes: 10_000_000, seconds: 0, frames: 0, files: 3 });
  for (const wrong of [
    '-p 0',
    '-p 8099=x',
    '--per-vn',
    '--ring-files 2 -w x',
    '--suppress-icmp',
    '-w - --text',
    '--listen name',
    '-s 1x',
    '-w - --rotate-time 1',
  ]) {
    t.throws(() => parseAnalyzer(wrong.split(' ')), { instanceOf: Exit }, wrong);
  }
});
