import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { StatusDump } from '../../daemon/src/control/dumps.js';
import { broken, decode } from './lab/decoded.js';
import { Lab } from './lab/lab.js';
import type { Daemon } from './lab/daemon.js';
import { inProject, mirrored, mirrorTo, resolved } from './lab/mirror.js';
import type { Namespace } from './lab/namespace.js';
import { until } from './lab/process.js';
import { type Document, network, portOf } from './lab/topology.js';
import { guestPort, policy } from './lab/two-networks.js';

/**
 *   ┌ vnf1 ────────┐   ┌ host ─────────────────────────┐   ┌ dpi ─────────┐
 *   │ eth0 4.4.4.3 ├───┤ traffic-net      mirror-net   ├───┤ eth0 7.7.7.3 │
 *   ├ vnf2 ────────┤   │ 4.4.4.0/24       7.7.7.0/24   │   └──────────────┘
 *   │ eth0 4.4.4.4 ├───┤ green                         │   ┌ vnf3 ────────┐
 *   └──────────────┘   │ 5.5.5.0/24                    ├───┤ eth0 5.5.5.3 │
 *                      └───────────────────────────────┘   └──────────────┘
 */
const tim = (document: Document): Document => inProject('tim', document);
const NETWORKS = { traffic: 'traffic-net', mirror: 'mirror-net' };
const VNF1 = 'default-domain:tim:vnf1';
const DPI = { analyzerName: 'DPI', analyzerIp: '7.7.7.3', udpPort: 8888 };
/** Metadata of copies of what guests of the network send, and of what they are sent. */
const metadata = (type: 3 | 4, name: string): string =>
  Buffer.concat([Buffer.of(type, name.length), Buffer.from(name), Buffer.of(0xff, 0)]).toString('hex');
const SENT = metadata(3, 'default-domain:tim:traffic-net');
const RECEIVED = metadata(4, 'default-domain:tim:traffic-net');
/** Port unreachables the kernel sends a second are few, and none after a burst. */
const UNREACHABLES = ['sysctl', '-w', 'net.ipv4.icmp_ratelimit=0'];

const isOfPing = (line: string): boolean => line.endsWith('UDP, length 132');

class Setup {
  private constructor(
    readonly daemon: Daemon,
    readonly vnf1: Namespace,
    readonly vnf2: Namespace,
    readonly vnf3: Namespace,
    readonly dpi: Namespace,
  ) {}

  static async in(lab: Lab): Promise<Setup> {
    const daemon = await lab.daemon();
    const guests = [];
    for (const name of ['vnf1', 'vnf2', 'vnf3', 'dpi']) guests.push(await lab.namespace(name));
    const [vnf1, vnf2, vnf3, dpi] = guests;
    const setup = new Setup(daemon, vnf1, vnf2, vnf3, dpi);
    await setup.networks();
    await daemon.apply(
      tim(guestPort('vnf1', NETWORKS.traffic, vnf1)),
      tim(guestPort('vnf2', NETWORKS.traffic, vnf2)),
      guestPort('vnf3', 'green', vnf3),
      tim(guestPort('DPI', NETWORKS.mirror, dpi)),
    );
    return setup;
  }

  /** The networks, connected by policies of these names. */
  async networks(...policies: readonly string[]): Promise<void> {
    const of = (name: string, prefix: string): Document => network(name, { subnets: [{ prefix }], policies });
    await this.daemon.apply(
      tim(of(NETWORKS.traffic, '4.4.4.0/24')),
      tim(of(NETWORKS.mirror, '7.7.7.0/24')),
      network('green', { policies: policies.map((name) => `default-domain:tim:${name}`) }),
    );
  }

  /** The first guest is mirrored to these. */
  async mirror(...mirrors: readonly Document[]): Promise<void> {
    await this.daemon.apply(tim(mirrored(guestPort('vnf1', NETWORKS.traffic, this.vnf1), ...mirrors)));
  }

  async warnings(): Promise<readonly string[]> {
    return (await this.daemon.dump<StatusDump>('vrouter', 'status')).warnings;
  }

  /** Frames tcpdump sees at the analyzer while `work` is done, and until there are `least` of them. */
  async seen(
    filter: string,
    work: () => Promise<unknown>,
    least = 0,
  ): Promise<{ lines: readonly string[]; file: string }> {
    const capture = await this.dpi.capture('eth0', filter);
    await work();
    if (least > 0) {
      await until(`${least} frames at the analyzer`, async () => {
        const { stdout } = await this.dpi.attempt(['tcpdump', '-nr', capture.file]);
        return stdout.split('\n').length > least ? true : undefined;
      });
    }
    return { lines: await capture.stop(), file: capture.file };
  }
}

/** Rules that let the guests' networks and the analyzer's talk. */
const rules = (rule: Document = {}, end: Document = {}): Document[] =>
  [NETWORKS.traffic, 'default-domain:default-project:green'].map((virtualNetwork) => ({
    source: { virtualNetwork },
    destination: { virtualNetwork: NETWORKS.mirror, ...end },
    ...rule,
  }));

/** What the tools show of the mirror to the analyzer whose address is not known, or is. */
async function toolsShow(t: ExecutionContext, { daemon }: Setup): Promise<void> {
  const { vif } = await portOf(daemon, VNF1);
  const shown = await daemon.run('vif', `--get ${vif.id}`);
  t.regex(shown, /Flags:PMrMtL3L2DEr QOS:-1 Ref:\d+ Mirror index 0\n/);
  t.true(
    shown.endsWith(
      [
        '            Ingress Mirror Metadata: 3 1e 64 65 66 61 75 6c 74 2d 64 ',
        '                                     6f 6d 61 69 6e 3a 74 69 6d 3a 74 ',
        '                                     72 61 66 66 69 63 2d 6e 65 74 ff ',
        '                                     0 ',
        '            Egress Mirror Metadata: 4 1e 64 65 66 61 75 6c 74 2d 64 6f ',
        '                                    6d 61 69 6e 3a 74 69 6d 3a 74 72 ',
        '                                    61 66 66 69 63 2d 6e 65 74 ff 0 ',
        '',
        '',
      ].join('\n'),
    ),
    shown,
  );
  const { nexthop } = await mirrorTo(daemon, 'DPI');
  t.is(
    await daemon.run('vrouter', 'mirror --dump'),
    [
      'Mirror Table\n',
      'Flags:D=Dynamic Mirroring, Hw=NIC Assisted Mirroring \n',
      'Index    NextHop    Flags       VNI    Vlan',
      '------------------------------------------------',
      `    0    ${String(nexthop).padStart(7)}       D          0       0\n`,
    ].join('\n'),
  );
  t.regex(
    await daemon.run('nh', `--get ${nexthop}`),
    new RegExp(
      [
        `^Id:${String(nexthop).padEnd(9)}  Type:Tunnel         Fmly: AF_INET  Rid:0  Ref_cnt:2          Vrf:-1`,
        '              Flags:Valid, Udp, Copy SIP, Etree Root, ',
        '              Oif:0 Len:14 Data:00 00 00 00 00 00 (?:[0-9a-f]{2} ){6}08 00 ',
        '              Sip:127\\.0\\.0\\.1 Dip:7\\.7\\.7\\.3',
        '              Sport:8097 Dport:8888\n\n\n$',
      ].join('\n'),
    ),
  );
}

/** Without header frames arrive as they are, no policy needed: those of both directions, ARP, and what the host itself sends. */
async function framesAsTheyAre(t: ExecutionContext, setup: Setup): Promise<void> {
  const { daemon, vnf1 } = setup;
  const [own, other, analyzer] = await Promise.all(
    ['vnf1', 'vnf2', 'DPI'].map(async (name) => (await portOf(daemon, `default-domain:tim:${name}`)).mac),
  );
  const instance = `default-domain:tim:${NETWORKS.mirror}:${NETWORKS.mirror}`;
  const more = { juniperHeader: false, analyzerMac: analyzer, routingInstance: instance };
  await setup.mirror({ analyzerName: 'raw', ...more });
  t.like(await resolved(daemon, 'raw'), { isDynamic: false, vni: null, vlan: 0 });
  const talk = async (): Promise<void> => {
    await vnf1.run('ip neigh flush all');
    await vnf1.ping('4.4.4.4', 2, '-s 56');
    await vnf1.ping('4.4.4.1', 1, '-s 56');
  };
  const { lines } = await setup.seen('(arp or icmp) and not ether src 00:00:00:00:00:00', talk, 8);
  const saw = (pattern: RegExp, times: number): void => {
    t.is(lines.filter((line) => pattern.test(line)).length, times, `${pattern}\n${lines.join('\n')}`);
  };
  saw(new RegExp(`^${own} > ${other}, .* length 98: .*ttl 64, .* 4\\.4\\.4\\.3 > 4\\.4\\.4\\.4: ICMP echo request`), 2);
  saw(new RegExp(`^${other} > ${own}, .* 4\\.4\\.4\\.4 > 4\\.4\\.4\\.3: ICMP echo reply`), 2);
  saw(/who-has 4\.4\.4\.1 .*tell 4\.4\.4\.3/, 1);
  saw(/4\.4\.4\.1 is-at 00:00:5e:00:01:00/, 1);
  saw(new RegExp(`^00:00:5e:00:01:00 > ${own}, .* 4\\.4\\.4\\.1 > 4\\.4\\.4\\.3: ICMP echo reply`), 1);
}

/** The datagrams: addresses, TTL and flags outside, checksums, metadata, the guest's own frame behind it. */
async function metadataIs(t: ExecutionContext, file: string): Promise<void> {
  t.deepEqual(await broken(file), []);
  const fields = ['ip.ttl', 'ip.flags.df', 'ip.src', 'udp.length', 'udp.payload'];
  const frames = (await decode(file, fields)).filter((frame) => frame['udp.length'][0] === '140');
  for (const frame of frames) {
    t.deepEqual([frame['ip.ttl'][0], frame['ip.src'][0]], ['63', '4.4.4.3']);
    t.regex(frame['ip.flags.df'][0], /^(0|False)$/);
    const payload = frame['udp.payload'][0].replaceAll(':', '');
    t.true(payload.startsWith(SENT) || payload.startsWith(RECEIVED), payload);
    // Ethernet of IPv4, then ICMP between the two guests.
    const inner = payload.slice(SENT.length);
    t.is(inner.slice(24, 28), '0800');
    const [from, to] = payload.startsWith(SENT) ? ['04040403', '04040404'] : ['04040404', '04040403'];
    t.deepEqual([inner.slice(52, 60), inner.slice(60, 68)], [from, to]);
  }
  const kinds = new Set(frames.map((frame) => frame['udp.payload'][0].slice(0, 2)));
  t.deepEqual(kinds, new Set(['03', '04']));
}

test('mirrored packets with header reach an analyzer in another network that a policy connects', async (t) => {
  const lab = await Lab.create(t);
  const setup = await Setup.in(lab);
  const { daemon, vnf1, vnf3, dpi } = setup;
  await dpi.run(UNREACHABLES);
  const ping = () => vnf1.ping('4.4.4.4', 4, '-s 56');

  // Without a policy nothing arrives, and the status says why.
  await setup.mirror(DPI);
  const { lines: none } = await setup.seen('udp', ping);
  t.deepEqual(none, []);
  const warning = (await setup.warnings()).find((line) => line.includes('DPI')) ?? '';
  t.regex(warning, /vnf1: mirror to "DPI": .*7\.7\.7\.3.*policy/);
  const unresolved = await mirrorTo(daemon, 'DPI');
  t.like(unresolved, { state: 'unresolved', isDynamic: true });
  t.true(unresolved.counters.discards >= 8, JSON.stringify(unresolved.counters));

  await toolsShow(t, setup);

  await framesAsTheyAre(t, setup);
  await setup.mirror(DPI);

  // With one, copies of both directions do: each with a port of its own, from the guest's address.
  await daemon.apply(tim(policy('mirroring', ...rules())));
  await setup.networks('mirroring');
  await resolved(daemon, 'DPI');
  t.deepEqual(
    (await setup.warnings()).filter((line) => line.includes('DPI')),
    [],
  );
  const { lines, file } = await setup.seen('udp and dst port 8888', ping, 8);
  const copies = lines.filter(isOfPing);
  t.is(copies.length, 8, lines.join('\n'));
  for (const line of copies) t.regex(line, /4\.4\.4\.3\.(\d+) > 7\.7\.7\.3\.8888: .*UDP, length 132/);
  t.is(new Set(copies.map((line) => /4\.4\.4\.3\.(\d+) >/.exec(line)?.[1])).size, 2);
  await metadataIs(t, file);
  // No listener there: its answers are kept from the guest, and are not mirrored in turn.
  t.false(
    lines.some((line) => line.endsWith('UDP, length 236')),
    lines.join('\n'),
  );
  const kept = await mirrorTo(daemon, 'DPI');
  t.true(kept.counters.suppressed > 0, JSON.stringify(kept.counters));

  // Without that, each answer is a packet to the guest, and mirrored as such.
  await setup.mirror({ ...DPI, suppressIcmpErrors: false });
  const { lines: echoed } = await setup.seen('udp and dst port 8888', ping, 9);
  t.true(
    echoed.some((line) => /4\.4\.4\.3\.\d+ > 7\.7\.7\.3\.8888: .*UDP, length 236/.test(line)),
    echoed.join('\n'),
  );
  await setup.mirror(DPI);

  // A policy for nothing but the copies is enough.
  const narrow = rules({ protocol: 'udp', direction: '>' }, { ports: [8888] });
  await daemon.apply(tim(policy('mirroring', ...narrow)));
  await resolved(daemon, 'DPI');
  const { lines: narrowed } = await setup.seen('udp and dst port 8888', ping, 8);
  t.is(narrowed.filter(isOfPing).length, 8, narrowed.join('\n'));

  // Names of different length in one capture; every frame is found in it.
  await daemon.apply(mirrored(guestPort('vnf3', 'green', vnf3), DPI));
  const both = async (): Promise<void> => {
    await ping();
    await vnf3.ping('5.5.5.1', 2);
  };
  const mixed = await setup.seen('udp and dst port 8888', both, 12);
  const payloads = await decode(mixed.file, ['udp.payload', 'ip.src'], {
    arguments: ['--disable-protocol', 'jmirror'],
  });
  const lengths = new Set(payloads.map((frame) => Number.parseInt(frame['udp.payload'][0].slice(2, 4), 16)));
  t.deepEqual(
    lengths,
    new Set(['default-domain:tim:traffic-net'.length, 'default-domain:default-project:green'.length]),
  );
  t.deepEqual(new Set(payloads.map((frame) => frame['ip.src'][0])), new Set(['4.4.4.3', '5.5.5.3']));
  const written = `${mixed.file}.pcapng`;
  await daemon.run('vrouter', ['analyzer', '-r', mixed.file, '-w', written], { timeoutMs: 20_000 });
  const inside = await decode(written, ['ip.src', 'icmp.type', 'frame.interface_name', 'eth.type'], { filter: 'icmp' });
  t.deepEqual(await broken(written), []);
  const networks = new Set(inside.map((frame) => frame['frame.interface_name'][0].replace(/@.*/, '')));
  t.deepEqual(networks, new Set(['default-domain:tim:traffic-net', 'default-domain:default-project:green']));
  t.deepEqual(
    new Set(inside.map((frame) => frame['ip.src'][0])),
    new Set(['4.4.4.3', '4.4.4.4', '5.5.5.3', '5.5.5.1']),
  );
  t.is(inside.length, 8 + 4);

  const { books } = (await daemon.dump<StatusDump>('vrouter', 'status')).datapath;
  t.is(books.received + books.generated + books.copied, books.sent + books.dropped + books.consumed);
});
