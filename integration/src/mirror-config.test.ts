/**
 *   ┌ h1 ───────────────────────────┐  ┌ h2 ────────────────┐  ┌ vtep 192.168.100.50 ┐
 *   │ traffic-net  vnf   4.4.4.3    │  │ dpi-net            │  │ no vrouterd         │
 *   │              other 4.4.4.4    │  │   dpi 7.7.7.3      │  │                     │
 *   └──────────────┬────────────────┘  └─────────┬──────────┘  └──────────┬──────────┘
 *                  └──────────────── underlay ───┴────────────────────────┘
 *
 * Frames of vnf are copied. No interface of h1 is in dpi-net.
 */
import test, { type ExecutionContext } from 'ava';
import type { StatusDump } from '../../daemon/src/control/dumps.js';
import type { MirrorDump } from '../../daemon/src/control/mirror-dumps.js';
import { Cluster, reaches } from './lab/cluster.js';
import { decode } from './lab/decoded.js';
import { until } from './lab/process.js';
import { network, type Document } from './lab/topology.js';
import { addMachine } from './lab/underlay.js';

const VTEP = '192.168.100.50';
const VNI = 7040;
const DPI = { analyzerName: 'DPI', analyzerIp: '7.7.7.3', udpPort: 8888 };
/** 56-byte pings and the metadata of a port of traffic-net: UDP, length 144. */
const COPY_LENGTH = 98 + 4 + 'default-domain:default-project:traffic-net'.length;

const policy = (name: string, other: string): Document => ({
  apiVersion: 'vrouter/v1',
  kind: 'NetworkPolicy',
  metadata: { name },
  spec: { rules: [{ source: { virtualNetwork: 'traffic-net' }, destination: { virtualNetwork: other } }] },
});

const trafficNet = (...policies: readonly string[]): Document =>
  network('traffic-net', { subnets: [{ prefix: '4.4.4.0/24' }], policies });
const dpiNet = (...policies: readonly string[]): Document =>
  network('dpi-net', { subnets: [{ prefix: '7.7.7.0/24' }], policies });

/** Two hosts, their guests, and what a user does and asks. */
async function setUp(t: ExecutionContext) {
  const cluster = await Cluster.create(t);
  const [h1] = cluster.hosts;
  const vnf = await cluster.guest(1, 'vnf', 'traffic-net', ['4.4.4.3']);
  const other = await cluster.guest(1, 'other', 'traffic-net', ['4.4.4.4']);
  const dpi = await cluster.guest(2, 'dpi', 'dpi-net', ['7.7.7.3']);
  const mirrors = (): Promise<MirrorDump[]> => h1.daemon.dump<MirrorDump[]>('mirror', '--dump');
  return {
    ...{ cluster, h1, vnf, other, dpi, mirrors },
    /** Has frames of vnf copied to these. */
    mirror: (...to: readonly Document[]) =>
      h1.daemon.apply({ ...vnf.port, spec: { ...(vnf.port['spec'] as Document), mirrors: to } }),
    warnings: async () => (await h1.daemon.dump<StatusDump>('vrouter', 'status')).warnings.join('\n'),
    becomes: (state: MirrorDump['state']) =>
      until(`the mirror is ${state}`, async () => {
        const all = await mirrors();
        return all.every((one) => one.state === state) ? all : undefined;
      }),
  };
}

type Scenario = Awaited<ReturnType<typeof setUp>>;

test('copies find analyzers on other hosts and on the underlay, and follow what leads there', async (t) => {
  const scenario = await setUp(t);
  await toAnotherHost(t, scenario);
  await toTheUnderlay(t, scenario);
});

/** Copies follow policies, MACs and restarts at once. */
async function toAnotherHost(t: ExecutionContext, scenario: Scenario): Promise<void> {
  const { cluster, h1, vnf, other, dpi, mirrors, mirror, warnings, becomes } = scenario;
  await cluster.apply(trafficNet(), dpiNet(), vnf.port, other.port, dpi.port, policy('tap', 'dpi-net'));
  await reaches(vnf.namespace, other.address);

  // The first index is given to another mirror, so that it is not by chance that DPI keeps its own.
  await mirror({ ...DPI, analyzerName: 'first' }, DPI);
  t.deepEqual(
    (await mirrors()).map(({ index, name, state }) => [index, name, state]),
    [
      [0, 'first', 'unresolved'],
      [1, 'DPI', 'unresolved'],
    ],
  );
  await mirror(DPI);
  t.regex(
    await warnings(),
    /vnf: mirror to "DPI": no route from VirtualNetwork\/traffic-net to 7\.7\.7\.3: a policy between VirtualNetwork\/traffic-net and VirtualNetwork\/dpi-net/,
  );
  const live = vnf.namespace.spawn('ping -n -i 0.2 4.4.4.4');
  const nothing = await dpi.namespace.capture('eth0', 'udp port 8888');
  await vnf.namespace.ping(other.address, 3);
  t.deepEqual(await nothing.stop(), []);

  const copies = await dpi.namespace.capture('eth0', 'udp port 8888');
  await h1.daemon.apply(trafficNet('tap'), dpiNet('tap'));
  await becomes('resolved');
  t.notRegex(await warnings(), /DPI/);
  await vnf.namespace.ping(other.address, 3);
  await live.stop();
  const lines = await copies.stop();
  const echoes = lines.filter((line) => line.includes(`UDP, length ${COPY_LENGTH}`));
  t.true(echoes.length >= 6, lines.join('\n'));
  t.true(
    echoes.every((line) => / 4\.4\.4\.3\.\d+ > 7\.7\.7\.3\.8888:/.test(line)),
    echoes.join('\n'),
  );

  await h1.daemon.stop();
  await h1.daemon.start();
  const [restarted] = await becomes('resolved');
  t.deepEqual([restarted.index, restarted.name], [1, 'DPI']);

  // Frames as they are, to a MAC in a network this host has nothing in; no policy is needed.
  const { mac } = (await dpi.host.daemon.object<{ status: { mac: string } }>('VirtualMachineInterface', 'dpi')).status;
  const raw = { ...DPI, juniperHeader: false, analyzerMac: mac, routingInstance: 'dpi-net' };
  await h1.daemon.apply(trafficNet(), dpiNet());
  await mirror(raw);
  t.is((await becomes('resolved'))[0].index, 1, 'the same name keeps the index');
  const frames = await dpi.namespace.capture('eth0', 'icmp and host 4.4.4.3');
  await vnf.namespace.ping(other.address, 3);
  const seen = await frames.stop();
  t.true(seen.filter((line) => /4\.4\.4\.3 > 4\.4\.4\.4: ICMP echo request/.test(line)).length >= 3, seen.join('\n'));
  t.true(seen.filter((line) => /4\.4\.4\.4 > 4\.4\.4\.3: ICMP echo reply/.test(line)).length >= 3, seen.join('\n'));

  await h1.daemon.run('vrouter', 'delete VirtualMachineInterface dpi');
  const [lost] = await becomes('unresolved');
  t.regex(lost.reason ?? '', new RegExp(`MAC ${mac} not known in VirtualNetwork/dpi-net`));
  await h1.daemon.apply(dpi.port);
  await becomes('resolved');
}

/** A VXLAN end that runs no vrouterd, and an analyzer there. */
async function toTheUnderlay(t: ExecutionContext, scenario: Scenario): Promise<void> {
  const { cluster, h1, vnf, other, mirror, warnings, becomes } = scenario;
  const vtep = await addMachine(cluster.lab, cluster.fabric, 'vtep', VTEP);
  const staticNhHeader = { vtepDstIp: VTEP, vni: VNI };
  await h1.daemon.apply(policy('out', 'ip-fabric'));
  await mirror({ analyzerName: 'vtep', juniperHeader: false, nhMode: 'static', staticNhHeader });
  const [entry] = await becomes('resolved');
  t.is(entry.vni, VNI);
  const vxlan = await vtep.capture('fabric0', 'udp port 4789');
  await vnf.namespace.ping(other.address, 2);
  await vxlan.stop();
  const fields = ['vxlan.vni', 'ip.src', 'ip.dst', 'icmp.type'];
  const decoded = (await decode(vxlan.file, fields, { filter: 'icmp' })).filter((one) => one['icmp.type'].length === 1);
  t.deepEqual(decoded.slice(0, 2), [
    {
      'vxlan.vni': [`${VNI}`],
      'ip.src': ['192.168.100.11', '4.4.4.3'],
      'ip.dst': [VTEP, '4.4.4.4'],
      'icmp.type': ['8'],
    },
    {
      'vxlan.vni': [`${VNI}`],
      'ip.src': ['192.168.100.11', '4.4.4.4'],
      'ip.dst': [VTEP, '4.4.4.3'],
      'icmp.type': ['0'],
    },
  ]);

  await mirror({ analyzerName: 'outside', analyzerIp: VTEP, udpPort: 9098 });
  await becomes('unresolved');
  t.regex(await warnings(), /a policy between VirtualNetwork\/traffic-net and ip-fabric is missing/);
  await h1.daemon.apply(trafficNet('out'));
  await becomes('resolved');
  const outside = await vtep.capture('fabric0', 'udp port 9098');
  await vnf.namespace.ping(other.address, 3);
  const lines = await outside.stop();
  t.true(
    lines.filter((line) => /4\.4\.4\.3\.\d+ > 192\.168\.100\.50\.9098: /.test(line)).length >= 6,
    lines.join('\n'),
  );

  // Copies of sessions as well: they come from the guests, as the host's stack refuses its own address from outside.
  const rule = { source: { virtualNetwork: 'traffic-net' }, destination: { virtualNetwork: 'traffic-net' } };
  const flows = policy('flows', 'traffic-net');
  const analyzer = { analyzerName: 'flows', analyzerIp: VTEP, udpPort: 9099 };
  const mirrored = { ...flows, spec: { rules: [{ ...rule, mirror: analyzer }] } };
  await h1.daemon.apply(mirrored, trafficNet('flows', 'out'));
  const sessions = await vtep.capture('fabric0', 'udp port 9099');
  await vnf.namespace.ping(other.address, 3);
  const copies = await sessions.stop();
  t.true(copies.filter((line) => / 4\.4\.4\.[34]\.\d+ > 192\.168\.100\.50\.9099: /.test(line)).length >= 6);
}
