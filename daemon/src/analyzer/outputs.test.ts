import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Exit } from '../cli/exit.js';
import { eth } from '../testing/packet-builder.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { parseAnalyzer } from './args.js';
import { CaptureReader } from './capture-reader.js';
import { FileSink, OpenFiles, PerNetworkSink, RingSink, type FileOptions, type RingOptions } from './file-sinks.js';
import { DIRECTION, Frame, type CaptureInterface } from './frame.js';
import { problemLines, ProblemTeller } from './problems.js';
import { Session } from './session.js';
import type { Sink } from './sink.js';
import { newInputStatistics } from './statistics.js';
import { statisticsText, TextSink } from './text-view.js';

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

test('files of a ring that earlier runs left are not kept for ever', (t) => {
  const folder = temporaryFolder(t);
  const session = new Session();
  let now = Date.UTC(2026, 10, 20);
  const run = (files: number): readonly string[] => {
    const sink = new RingSink(
      optionsOf(join(folder, 'r.pcapng'), session),
      { ...NO_RING, frames: 1, files },
      () => now,
    );
    for (let i = 0; i < 3; i++) {
      now += 1000;
      sink.frame(frameOf(session, 'a:b:c'));
    }
    sink.close();
    return readdirSync(folder).filter((name) => name.startsWith('r_0'));
  };
  const others = [
    'r_1_20261120000000.pcapng',
    'r.pcapng',
    'r_00009_20261120000000.pcap',
    'r_x_00009_20261120000000.pcapng',
  ];
  for (const name of others) writeFileSync(join(folder, name), '');
  const numbers = (names: readonly string[]): readonly number[] => names.map((name) => Number(name.slice(2, 7)));
  const isOurs = (name: string): boolean => !others.includes(name);
  t.deepEqual(numbers(run(4).filter(isOurs)), [1, 2, 3]);
  t.deepEqual(numbers(run(4).filter(isOurs)), [3, 4, 5, 6]);
  // A run before this one began with 1 again: age is what counts.
  writeFileSync(join(folder, 'r_00100_20261119235959.pcapng'), '');
  t.deepEqual(numbers(run(5).filter(isOurs)), [5, 6, 101, 102, 103]);
  t.deepEqual(numbers(run(2).filter(isOurs)), [105, 106]);
  t.true(others.every((name) => readdirSync(folder).includes(name)));
});

test('a ring whose next file cannot be opened is closed without an error of its own, and so are all others', (t) => {
  const folder = temporaryFolder(t);
  const session = new Session();
  const open = new OpenFiles();
  const at = (name: string): FileOptions => ({ ...optionsOf(join(folder, name), session), open });
  const gone = join(folder, 'gone');
  mkdirSync(gone);
  const ring = new RingSink(at('gone/r.pcapng'), { ...NO_RING, frames: 1 });
  const other = new FileSink(at('a.pcapng'));
  session.addSink(ring);
  session.addSink(other);
  ring.frame(frameOf(session, 'a:b:c'));
  other.frame(frameOf(session, 'a:b:c'));
  rmSync(gone, { recursive: true });
  t.throws(
    () => {
      ring.frame(frameOf(session, 'a:b:c'));
    },
    { code: 'ENOENT' },
  );
  t.notThrows(() => {
    session.close();
  });
  t.is(framesIn(join(folder, 'a.pcapng')), 1);
  t.false(open.has(statSync(join(folder, 'a.pcapng'))));
});

test('a sink that cannot be closed leaves no other open, and what it throws is told', (t) => {
  const closed: string[] = [];
  const sink = (name: string, fails: 'statistics' | 'close' | ''): Sink => ({
    frame: () => undefined,
    flush: () => undefined,
    statistics: () => {
      if (fails === 'statistics') throw new Error(`statistics of ${name}`);
    },
    close: () => {
      closed.push(name);
      if (fails === 'close') throw new Error(`close of ${name}`);
    },
  });
  const session = new Session();
  for (const one of [sink('a', ''), sink('b', 'statistics'), sink('c', 'close'), sink('d', '')]) session.addSink(one);
  t.throws(
    () => {
      session.close();
    },
    { message: 'statistics of b' },
  );
  t.deepEqual(closed, ['a', 'b', 'c', 'd']);
  const byNetwork = new PerNetworkSink('n.pcapng', (path) => sink(path, 'close'));
  for (const network of ['a', 'b']) byNetwork.frame(frameOf(session, network));
  t.throws(
    () => {
      byNetwork.close();
    },
    { message: 'close of n-a.pcapng' },
  );
  t.deepEqual(closed.slice(4), ['n-a.pcapng', 'n-b.pcapng']);
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

test('control characters in names of networks do not reach the terminal', (t) => {
  const session = new Session({ name: 'x\u009b' });
  const name = 'a:b:\u001b]0;owned\u0007\u007f\u009b31m\r\n';
  let text = '';
  for (const json of [false, true]) {
    const sink = new TextSink((more) => (text += more), { json, linkLevel: true });
    sink.frame(frameOf(session, name));
    sink.close();
  }
  text += statisticsText(session.statistics);
  t.notRegex(text.replaceAll('\n', ''), /\p{Cc}/u);
  const [line, json, counters, ...rest] = text.split('\n');
  t.true(line.includes(' \\u001b]0;owned\\u0007\\u007f\\u009b31m\\u000d\\u000a 192.0.2.1: '), line);
  t.like(JSON.parse(json) as object, { network: name });
  t.true(counters.startsWith('a:b:\\u001b]'), counters);
  t.is(rest.length, 2);
});

test('a problem of every second is told at powers of ten and at the end, not each second', (t) => {
  const lines: string[] = [];
  const teller = new ProblemTeller((line) => lines.push(line));
  const inputs = [newInputStatistics('udp'), newInputStatistics('udp')];
  const now = { startedAt: 0, inputs, interfaces: [], filtered: 0, delivered: 0 };
  for (let second = 0; second < 1234; second++) {
    inputs[0].malformed.noEnd++;
    inputs[1].malformed.noEnd = 7;
    inputs[1].kernelDrops = second * 3;
    teller.tell(now);
  }
  teller.end(now);
  teller.end(now);
  const noEnd = 'malformed: metadata without end';
  const told = (what: string): readonly number[] =>
    lines.filter((line) => line.endsWith(what)).map((line) => Number(/: (\d+) /.exec(line)?.[1]));
  t.deepEqual(told(noEnd), [1, 7, 10, 100, 1000, 1234]);
  t.deepEqual(told('dropped by the kernel'), [3, 12, 102, 1002, 3699]);
  t.is(lines.length, 11);
});

test('frames from ever new ports make no ever new interfaces', (t) => {
  const session = new Session();
  const said = frameOf(session, 'a:b:c').origin;
  const of = (port: number): CaptureInterface => session.origins.make(0, { ...said, port }).interface;
  for (let port = 0; port < 4096; port++) of(port);
  const rest = of(5000);
  t.like(rest, { name: 'unknown', description: 'analyzer=analyzer port=0 kind=none' });
  for (let port = 5001; port < 6000; port++) t.is(of(port), rest);
  t.is(session.origins.interfaces.length, 4097);
  t.like(of(7), { name: 'a:b:c@192.0.2.1' });
});

test('a duration longer than any timer is refused, instead of being over at once', (t) => {
  t.is(parseAnalyzer(['--duration', '2147483']).duration, 2_147_483);
  for (const seconds of ['2147484', '1e12', 'Infinity']) {
    t.throws(() => parseAnalyzer(['--duration', seconds]), { instanceOf: Exit, message: /at most 2147483/ });
  }
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
