import test from 'ava';
import type { HostDump, ProbeDump, ProbeRequest } from '../control/host-dumps.js';
import { remoteProbe } from '../testing/dumps.js';
import { type Answering, TestNet } from '../testing/net.js';
import { surroundings } from '../testing/surroundings.js';
import type { Daemon } from './client.js';
import { Exit } from './exit.js';
import { vrouter } from './vrouter.js';

const hosts = () => Promise.resolve([{ name: 'host-b', tunnelAddress: '192.168.0.2' } as HostDump]);

/** Runs a command; returns all it printed, its status and what it said on stderr. */
async function run(
  argv: readonly string[],
  answer: Answering,
  daemon: Partial<Daemon> = { hosts },
  net = new TestNet(answer),
) {
  let out = '';
  const around = surroundings(daemon, {
    net,
    print: (text) => {
      out += text;
      return Promise.resolve();
    },
  });
  try {
    const rest = await vrouter.run(argv, around);
    out += rest;
    return { out, status: 0, message: '', net };
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    return { out: out + error.out, status: error.status, message: error.message, net };
  }
}

test('a host is pinged on the underlay by its name, with a line each and statistics', async (t) => {
  const { out, status, net } = await run(['ping', 'host-b', '-c', '2', '-i', '0.5'], () => ({}));
  t.regex(
    out,
    /^PING host-b \(192\.168\.0\.2\) 56 data bytes\n64 bytes from 192\.168\.0\.2: icmp_seq=1 ttl=64 time=\d+\.\d{3} ms\n64 bytes from 192\.168\.0\.2: icmp_seq=2 ttl=64 time=.*\n\n--- host-b ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss, time \d+ms\nrtt min\/avg\/max\/mdev = [\d./]+ ms\n$/,
  );
  t.is(status, 0);
  t.is(net.open, 0);
  t.true(net.sleeps[0] > 450 && net.sleeps[0] <= 500);
});

test('echoes nobody answers are told, and none at all is status 1', async (t) => {
  const some = await run(['ping', '192.168.0.2', '-c', '2'], (_, sequence) => (sequence === 2 ? {} : null));
  t.is(some.status, 0);
  t.regex(some.out, /\nno answer: icmp_seq=1\n64 bytes.*icmp_seq=2/);
  t.regex(some.out, /2 packets transmitted, 1 received, 50% packet loss/);
  const none = await run(['ping', '192.168.0.2', '-c', '1'], () => null);
  t.is(none.status, 1);
  t.regex(none.out, /1 packets transmitted, 0 received, 100% packet loss, time \d+ms\n$/);
  const refused = await run(['ping', '192.168.0.2', '-c', '1'], () => ({
    kind: 'unreachable',
    from: '192.168.0.9',
    code: 1,
  }));
  t.regex(refused.out, /From 192\.168\.0\.9: icmp_seq=1 Destination unreachable \(code 1\)/);
  t.is(refused.status, 1);
});

test('names of the DNS are known too, others are refused', async (t) => {
  t.is((await run(['ping', 'router.example', '-c', '1'], () => ({}))).status, 0);
  const { status, message } = await run(['ping', 'nobody', '-c', '1'], () => ({}));
  t.is(status, 1);
  t.is(message, `no host 'nobody' is known; name one of vrouter get hosts, or an address`);
});

test('Ctrl-C ends with the statistics', async (t) => {
  const net: TestNet = new TestNet((_, sequence) => {
    if (sequence === 3) net.stop.abort();
    return {};
  });
  const { out, status } = await run(['ping', 'host-b'], () => ({}), { hosts }, net);
  t.is(status, 0);
  t.regex(out, /3 packets transmitted, 3 received/);
});

/** Asks about 10.0.0.6 of a network of which the daemon says `probe`. */
async function overlay(probe: Partial<ProbeDump>, answer: Answering = () => ({}), argv: readonly string[] = []) {
  const asked: ProbeRequest[] = [];
  const daemon: Partial<Daemon> = {
    probe: (request) => {
      asked.push(request);
      return Promise.resolve(remoteProbe(probe));
    },
  };
  return { asked, ...(await run(['ping', '10.0.0.6', '--network', 'blue', '-c', '1', ...argv], answer, daemon)) };
}

test('an address of a network is asked for through the tunnel', async (t) => {
  const { out, status, asked } = await overlay({});
  t.is(
    out.replace(/time \d+ms/, 'time 0ms'),
    `PING 10.0.0.6 in blue through host-b (192.168.0.2), MPLSoUDP label 57
answer from host-b (192.168.0.2): seq=1 time=0.800 ms

--- 10.0.0.6 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 0.800/0.800/0.800/0.000 ms
10.0.0.6 is behind label 57 of host-b (192.168.0.2); if guests still cannot talk, see vrouter trace
`,
  );
  t.is(status, 0);
  t.deepEqual(asked, [{ network: 'blue', address: '10.0.0.6', timeoutMs: 1000 }]);
});

const BROKEN: readonly (readonly [string, Partial<ProbeDump>, Answering, RegExp])[] = [
  [
    'no route here',
    { outcome: 'noRoute', host: null, hostAddress: null, label: null },
    () => ({}),
    /^here: no route to 10\.0\.0\.6 in blue/,
  ],
  [
    'nothing in common with the host',
    { outcome: 'noLabel', label: null },
    () => ({}),
    /^here: no encapsulation is shared with the host of 10\.0\.0\.6/,
  ],
  ['no way through the underlay', { outcome: 'noWay' }, () => ({}), /^underlay: no route to host-b/],
  [
    'a next hop nobody answers for',
    { outcome: 'unresolved' },
    () => ({}),
    /^underlay: nobody answers for the next hop/,
  ],
  [
    'a host that is away',
    { outcome: 'lost' },
    () => null,
    /^underlay: host-b \(192\.168\.0\.2\) does not answer there either/,
  ],
  [
    'a host without vrouterd',
    { outcome: 'lost' },
    () => ({}),
    /^there: host-b .* answers on the underlay, its vrouterd does not/,
  ],
  ['a label that is old', { outcome: 'unknownLabel', ms: 1 }, () => ({}), /^there: host-b .* does not know label 57/],
  [
    'an address that is gone',
    { outcome: 'unknownAddress', ms: 1 },
    () => ({}),
    /^there: host-b .* none of its interfaces has 10\.0\.0\.6/,
  ],
  [
    "another's label",
    { outcome: 'otherInterface', encapsulation: 'VXLAN', ms: 1 },
    () => ({}),
    /^there: VNI 57 of host-b .* is another/,
  ],
];
for (const [what, probe, answer, says] of BROKEN) {
  test(`which half is broken is said: ${what}`, async (t) => {
    const { ms = null } = probe;
    const { out, status } = await overlay({ ...probe, ms }, answer);
    t.is(status, 1);
    t.regex(out.trim().split('\n').at(-1) ?? '', says);
    const { out: asJson } = await overlay({ ...probe, ms }, answer, ['--json']);
    const record = JSON.parse(asJson) as { diagnosis: { half: string; text: string }; sent: number; probe: ProbeDump };
    t.regex(record.diagnosis.text, says);
    t.true(record.diagnosis.text.startsWith(record.diagnosis.half));
    t.deepEqual([record.sent, record.probe.outcome], [1, probe.outcome]);
  });
}

test('an address of this host needs no tunnel', async (t) => {
  const { out, status } = await overlay({
    outcome: 'local',
    vif: 4,
    host: null,
    hostAddress: null,
    label: null,
    ms: null,
  });
  t.is(status, 0);
  t.regex(out, /^PING 10\.0\.0\.6 in blue\n/);
  t.regex(out, /10\.0\.0\.6 is on this host, behind vif0\/4: no tunnel is between; see vrouter trace\n$/);
});

test('an interface is asked for by its first address', async (t) => {
  const asked: ProbeRequest[] = [];
  const daemon: Partial<Daemon> = {
    objects: (kind, name) =>
      Promise.resolve(
        name === 'vm2' && kind === 'VirtualMachineInterface' ? [{ status: { addresses: ['10.0.0.9'] } }] : [{}],
      ),
    probe: (request) => {
      asked.push(request);
      return Promise.resolve(remoteProbe());
    },
  };
  await run(['ping', 'vm2', '--network', 'blue', '-c', '1'], () => ({}), daemon);
  t.like(asked, [{ address: '10.0.0.9' }]);
  const { message } = await run(['ping', 'vm3', '--network', 'blue', '-c', '1'], () => ({}), daemon);
  t.is(message, 'VirtualMachineInterface/vm3 has no address; see vrouter get vmi');
});

/** Two routers in front of 192.168.0.2; `*` answers nothing. */
const twoRouters: Answering = (_, __, hops) =>
  hops === 1 ? { kind: 'exceeded', from: '10.1.0.1' } : hops === 2 ? null : {};

test('a traceroute shows the hops of the underlay', async (t) => {
  const { out, status, net } = await run(['traceroute', 'host-b'], twoRouters);
  t.regex(
    out,
    /^traceroute to host-b \(192\.168\.0\.2\), 30 hops max\n 1 {2}10\.1\.0\.1 {5}[\d.]+ ms\n 2 {2}\*\n 3 {2}192\.168\.0\.2 {2}[\d.]+ ms\n$/,
  );
  t.is(status, 0);
  t.is(net.open, 0);
});

test('a traceroute gives up behind hops that do not answer', async (t) => {
  const { out, status, message } = await run(['traceroute', 'host-b'], (_, __, hops) =>
    hops === 1 ? { kind: 'exceeded', from: '10.1.0.1' } : null,
  );
  t.is(status, 1);
  t.is(out.trim().split('\n').length, 6);
  t.regex(message, /^192\.168\.0\.2 was not reached; /);
});

test('a traceroute through the tunnel shows network, tunnel, underlay, host and interface', async (t) => {
  const daemon: Partial<Daemon> = { probe: () => Promise.resolve(remoteProbe()) };
  const { out, status } = await run(['traceroute', '10.0.0.6', '--network', 'blue'], twoRouters, daemon);
  t.is(
    out.replace(/[\d.]+ ms/g, 'T ms'),
    `network    blue, VRF 2           10.0.0.6: nexthop 20
tunnel     host-b (192.168.0.2)  MPLSoUDP label 57
underlay   hop 1                 10.1.0.1                   T ms
underlay   hop 2                 *
underlay   hop 3                 192.168.0.2                T ms
host       host-b (192.168.0.2)  vrouterd answers T ms
interface  10.0.0.6              is there
10.0.0.6 is behind label 57 of host-b (192.168.0.2); if guests still cannot talk, see vrouter trace
`,
  );
  t.is(status, 0);
});

test('a traceroute through the tunnel ends where it is broken', async (t) => {
  const daemon: Partial<Daemon> = { probe: () => Promise.resolve(remoteProbe({ outcome: 'lost', ms: null })) };
  const { out, status } = await run(['traceroute', '10.0.0.6', '--network', 'blue'], twoRouters, daemon);
  t.is(status, 1);
  t.regex(out, /vrouterd does not answer\nthere: host-b .* answers on the underlay, its vrouterd does not/);
  const forbidden: Partial<Daemon> = daemon;
  const net = new TestNet(() => null);
  net.echoes = () => Promise.reject(new Exit(1, 'cannot send echoes (EPERM); run as root'));
  const unknown = await run(['traceroute', '10.0.0.6', '--network', 'blue'], () => null, forbidden, net);
  t.regex(unknown.out, /underlay +not asked +needs root\n/);
});

const USAGE: readonly (readonly [readonly string[], RegExp])[] = [
  [['ping'], /missing required argument 'target'/],
  [['ping', 'x', '-c', '0'], /Use 1 to 1000000/],
  [['ping', 'x', '-i', '0'], /Use 0\.01 to 3600/],
  [['traceroute', 'x', '-m', '256'], /Use 1 to 255/],
];
for (const [argv, problem] of USAGE) {
  test(`'${argv.join(' ')}' is refused with status 2`, async (t) => {
    const { status, message } = await run(argv, () => null);
    t.is(status, 2);
    t.regex(message, problem);
  });
}
