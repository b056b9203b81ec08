import test from 'ava';
import type { StatusDump } from '../control/dumps.js';
import type { LiveTrace, TraceRequest } from '../control/trace-dumps.js';
import { bridgedTrace } from '../testing/dumps.js';
import { nodeError, surroundings } from '../testing/surroundings.js';
import type { Daemon, LiveQuery } from './client.js';
import { Exit } from './exit.js';
import { vrouter } from './vrouter.js';

/** A daemon that remembers what it was asked to trace. */
function asked(dump = bridgedTrace()) {
  const requests: TraceRequest[] = [];
  const daemon: Partial<Daemon> = {
    trace: (request) => {
      requests.push(request);
      return Promise.resolve(dump);
    },
  };
  return { requests, daemon };
}

const PING = `ICMP 5.5.5.3 > 5.5.5.4 echo request, 98 bytes
  input   vif0/3 tapA (a)        98 bytes, VRF 2 (blue)
  parse                          IPv4, ICMP
  route   VRF 2 (blue), 5.5.5.4  5.5.5.4/32, flags P, nexthop 24
          rewrites               ttl 64 -> 63
  output  vif0/4 tapB (b)        98 bytes
sent out of vif0/4 tapB (b)
`;

test('a trace is a line for each step, and the verdict', async (t) => {
  const { requests, daemon } = asked();
  t.is(await vrouter.run(['trace', 'a', 'icmp', '5.5.5.3', 'to', '5.5.5.4'], surroundings(daemon)), PING);
  t.deepEqual(requests, [{ vmi: 'a', packet: 'icmp 5.5.5.3 to 5.5.5.4' }]);
});

test('what the agent answers comes before the verdict, with its own steps', async (t) => {
  const answer = bridgedTrace({ packet: 'ICMP reply', steps: bridgedTrace().steps.slice(3) });
  const { daemon } = asked(bridgedTrace({ answers: [answer], steps: [], lost: 3, verdict: 'given to the agent' }));
  t.is(
    await vrouter.run(['trace', 'a', 'icmp 5.5.5.1'], surroundings(daemon)),
    `ICMP 5.5.5.3 > 5.5.5.4 echo request, 98 bytes
  and 3 steps more
the agent answers: ICMP reply, 98 bytes
  output  vif0/4 tapB (b)  98 bytes
given to the agent
`,
  );
});

test('MACs, TTL, length and VLAN of the frame are asked for', async (t) => {
  const { requests, daemon } = asked();
  const argv = ['--src-mac', '2:0:0:0:0:9', '--dst-mac', '2:0:0:0:0:8', '--ttl', '1', '--length', '60', '--vlan', '7'];
  await vrouter.run(['trace', ...argv, 'vif0/3', 'udp :1 > 5.5.5.4:2'], surroundings(daemon));
  t.deepEqual(requests, [
    {
      ...{ vmi: 'vif0/3', packet: 'udp :1 > 5.5.5.4:2' },
      ...{ srcMac: '2:0:0:0:0:9', dstMac: '2:0:0:0:0:8', ttl: 1, length: 60, vlan: 7 },
    },
  ]);
});

test('with --json the record is printed as it is', async (t) => {
  const { daemon } = asked();
  const out = await vrouter.run(['trace', 'a', 'icmp 5.5.5.4', '--json'], surroundings(daemon));
  t.deepEqual(JSON.parse(out), bridgedTrace());
});

/** A packet that leaves host a for host b, and one that arrives there. */
const leaving = bridgedTrace({
  verdict: 'sent to host-b (192.168.0.2) by MPLSoUDP, label 57',
  tunnels: [{ host: 'host-b', address: '192.168.0.2', encapsulation: 'MPLSoUDP', label: 57, frame: '0a0b' }],
});
const arriving = bridgedTrace({ packet: 'MPLSoUDP label 57', vif: 0, steps: [], verdict: 'sent out of vif0/9' });

/** Daemons by socket: `a` sends to `b`; a connection without a socket is to `a`. */
function twoHosts(b = arriving) {
  const requests: TraceRequest[] = [];
  const daemons: Record<string, Partial<Daemon>> = {
    a: { trace: () => Promise.resolve(leaving) },
    b: {
      status: () => Promise.resolve({ host: 'host-b' } as StatusDump),
      trace: (request) => {
        requests.push(request);
        return Promise.resolve(b);
      },
    },
    c: { status: () => Promise.resolve({ host: 'host-c' } as StatusDump) },
  };
  return { requests, around: surroundings({}, { connect: (socket) => daemons[socket ?? 'a'] as Daemon }) };
}

test('a packet that leaves for another host ends with the command that goes on there', async (t) => {
  const { around } = twoHosts();
  const out = await vrouter.run(['trace', 'a', 'icmp 5.5.5.4', '--then', 'c'], around);
  t.true(
    out.endsWith(`sent to host-b (192.168.0.2) by MPLSoUDP, label 57
to see what becomes of it there:
on host-b: vrouter trace fabric --hex 0a0b
`),
  );
});

test('with the socket of the other daemon the trace goes on there, in one list', async (t) => {
  const { requests, around } = twoHosts();
  const out = await vrouter.run(['trace', 'a', 'icmp 5.5.5.4', '--then', 'c', '--then', 'b'], around);
  t.true(
    out.endsWith(`sent to host-b (192.168.0.2) by MPLSoUDP, label 57
on host-b:
MPLSoUDP label 57, 98 bytes
sent out of vif0/9
`),
  );
  t.deepEqual(requests, [{ vmi: 'fabric', frame: '0a0b' }]);
  const dumps = JSON.parse(
    await vrouter.run(['trace', 'a', 'icmp 5.5.5.4', '--then', 'b', '--json'], around),
  ) as unknown;
  t.deepEqual(dumps, [
    { host: null, dump: leaving },
    { host: 'host-b', dump: arriving },
  ]);
});

test('what is expected is expected of the last host', async (t) => {
  const { around } = twoHosts(bridgedTrace({ outcome: 'dropped', verdict: 'dropped: Invalid Label' }));
  const run = vrouter.run(['trace', 'a', 'icmp 5.5.5.4', '--then', 'b', '--expect', 'sent'], around);
  const exit = await t.throwsAsync(run, { instanceOf: Exit });
  t.is(exit.message, 'expected sent, but it was dropped: Invalid Label; look at the steps');
});

test('two hosts that send a packet to each other for ever are left after some rounds', async (t) => {
  const back = { ...leaving.tunnels[0], frame: '0c' };
  const { requests, around } = twoHosts(bridgedTrace({ tunnels: [back] }));
  await vrouter.run(['trace', 'a', 'icmp 5.5.5.4', '--then', 'b'], around);
  t.is(requests.length, 63);
});

/** A capture file of 4-byte frames 00000001, 00000002 ... */
function capture(frames: number, { big = false, magic = 0xa1b2c3d4, link = 1, length = 4 } = {}): Buffer {
  const word = (value: number): Buffer => {
    const b = Buffer.alloc(4);
    if (big) b.writeUInt32BE(value);
    else b.writeUInt32LE(value);
    return b;
  };
  const header = [magic, 0x00040002, 0, 0, 65535, link].map(word);
  const records = Array.from({ length: frames }, (_, i) => [
    ...[0, 0, 4, length].map(word),
    Buffer.from([0, 0, 0, i + 1]),
  ]);
  return Buffer.concat([...header, ...records.flat()]);
}

test('a frame of a capture file, or in hex, is sent as it is', async (t) => {
  for (const big of [false, true]) {
    const { requests, daemon } = asked();
    const around = surroundings(daemon, { readBytes: () => Promise.resolve(capture(3, { big, magic: 0xa1b23c4d })) });
    await vrouter.run(['trace', 'a', '--pcap', 'x.pcap'], around);
    await vrouter.run(['trace', 'a', '--pcap', 'x.pcap', '3'], around);
    await vrouter.run(['trace', 'a', '--hex', '00', '04'], around);
    t.deepEqual(
      requests.map(({ frame }) => frame),
      ['00000001', '00000003', '00 04'],
    );
  }
});

test('a capture file that is none, or has no such frame, is refused', async (t) => {
  const whole = capture(2);
  const files: readonly [string, Buffer][] = [
    ['x.pcap: it has no frame 3', whole],
    ['x.pcap: it has no frame 3', Buffer.concat([capture(3).subarray(0, -1)])],
    ['x.pcap: frame 3 is cut; capture with: tcpdump -s 0', capture(3, { length: 5 })],
    ['x.pcap: it is no pcap file; write one with: tcpdump -w FILE', whole.subarray(1)],
    ['x.pcap: it is no pcap file; write one with: tcpdump -w FILE', whole.subarray(0, 20)],
    ['x.pcap: its packets are no Ethernet frames; capture on the tap', capture(3, { link: 101 })],
  ];
  for (const [message, file] of files) {
    const around = surroundings({}, { readBytes: () => Promise.resolve(file) });
    await t.throwsAsync(vrouter.run(['trace', 'a', '--pcap', 'x.pcap', '3'], around), { instanceOf: Exit, message });
  }
  const around = surroundings({}, { readBytes: () => Promise.reject(nodeError('ENOENT')) });
  const exit = await t.throwsAsync(vrouter.run(['trace', 'a', '--pcap', 'x'], around), { instanceOf: Exit });
  t.is(exit.message, 'ENOENT; name a capture file');
});

test('an expectation that is not met is a failure that shows the steps', async (t) => {
  const { daemon } = asked();
  t.is(await vrouter.run(['trace', 'a', 'icmp 5.5.5.4', '--expect', 'sent'], surroundings(daemon)), PING);
  const run = vrouter.run(['trace', 'a', 'icmp 5.5.5.4', '--expect', 'dropped'], surroundings(daemon));
  const exit = await t.throwsAsync(run, { instanceOf: Exit });
  t.deepEqual([exit.status, exit.out], [1, PING]);
  t.is(exit.message, 'expected dropped, but it was sent out of vif0/4 tapB (b); look at the steps');
});

/** Runs a live trace that sees `packets`; returns what was asked, printed and told beside. */
async function live(argv: readonly string[], packets: readonly LiveTrace[]) {
  const queries: LiveQuery[] = [];
  let out = '';
  const progress: string[] = [];
  const daemon: Partial<Daemon> = {
    // eslint-disable-next-line @typescript-eslint/require-await -- packets of a test are there at once
    traceLive: async function* (query) {
      queries.push(query);
      yield* packets;
    },
  };
  const around = surroundings(daemon, {
    print: (text) => {
      out += text;
      return Promise.resolve();
    },
    progress: (line) => progress.push(line),
  });
  const rest = await vrouter.run(['trace', ...argv], around);
  return { queries, out: out + rest, progress };
}

test('live packets are printed as they come', async (t) => {
  const argv = ['--live', 'vmi a & icmp', '--count', '2', '--timeout', '3'];
  const { queries, out, progress } = await live(argv, [{ waiting: true }, bridgedTrace(), bridgedTrace()]);
  t.is(out, `${PING}\n${PING}`);
  t.deepEqual(queries, [{ match: 'vmi a & icmp', count: 2, timeout: 3 }]);
  t.deepEqual(progress, ['waiting for packets that match, 3 s at most; Ctrl-C ends']);
});

test('with --json live packets are a line each', async (t) => {
  const { out } = await live(['--live', 'any', '--json'], [{ waiting: true }, bridgedTrace(), bridgedTrace()]);
  t.is(out, `${JSON.stringify(bridgedTrace())}\n`.repeat(2));
});

test('that no packet came is said, and is a failure only where one was expected', async (t) => {
  const { out, progress } = await live(['--live', 'any', '--timeout', '1'], [{ waiting: true }]);
  t.is(out, '');
  t.is(progress[1], 'no packet matched in 1 s');
  const exit = await t.throwsAsync(live(['--live', 'any', '--expect', 'sent'], [{ waiting: true }]), {
    instanceOf: Exit,
  });
  t.is(exit.message, 'no packet matched in 60 s; send one, or match others');
});

const USAGE: readonly (readonly [readonly string[], string])[] = [
  [[], 'say which interface the packet comes from'],
  [['a'], 'the packet is missing'],
  [['a', '--hex'], 'the packet is missing'],
  [['a', '--pcap', 'f', 'x'], `'x' is no number of a frame`],
  [['a', '--pcap', 'f', '0'], `'0' is no number of a frame`],
  [['a', 'icmp', '--live', 'any'], '--live goes without a packet'],
  [['--live', 'any', '--then', 'b'], '--then goes with a dry run; trace live on each host'],
  [['--live', 'any', '--count', '0'], '--count is from 1 to 1000'],
  [['--live', 'any', '--timeout', '0'], `option '--timeout <seconds>' argument '0' is invalid. Use seconds up to 3600`],
];
for (const [argv, problem] of USAGE) {
  test(`'trace ${argv.join(' ')}' is refused: ${problem}`, async (t) => {
    const exit = await t.throwsAsync(vrouter.run(['trace', ...argv], surroundings({})), { instanceOf: Exit });
    t.deepEqual([exit.status, exit.message], [2, `${problem}; see vrouter trace --help`]);
  });
}
