/**
 *   ┌ h1 ───────────────────────────┐  ┌ h2 ────────────────────┐  ┌ outside ────┐
 *   │ web-net  web 4.4.4.3          │  │ tap-net  ids 7.7.7.3   │  │ 10.87.88.88 │
 *   │          db  4.4.4.4          │  │                        │  │             │
 *   └──────────────┬────────────────┘  └─────────┬──────────────┘  └──────┬──────┘
 *                  └──────────────── underlay ───┴────────────────────────┘
 *
 * Packets between web and db are copied because policies say so.
 */
import test, { type ExecutionContext } from 'ava';
import { Cluster, reaches } from './lab/cluster.js';
import { until } from './lab/process.js';
import { type Document, network } from './lab/topology.js';
import { addMachine } from './lab/underlay.js';

const OUTSIDE = '192.168.100.50';
const EXTERNAL = '10.87.88.88';
const NAME = 'default-domain:default-project:web-net';
/** Copies of 56-byte pings, with the metadata of a session inside web-net. */
const COPY = `UDP, length ${98 + 18 + 2 * NAME.length}`;
const LABEL = 'core.juniper.net/analyzer-pod';

const document = (kind: string, name: string, spec: Document, labels: Document = {}): Document => ({
  apiVersion: 'vrouter/v1',
  kind,
  metadata: { name, labels },
  spec,
});
const policy = (name: string, ...rules: readonly Document[]): Document => document('NetworkPolicy', name, { rules });
const labelled = (port: Document, labels: Document): Document => ({
  ...port,
  metadata: { ...(port['metadata'] as Document), labels },
});
const destination = (spec: Document): Document =>
  document('MirrorDestination', 'ids', spec, { [`${LABEL}-selector`]: 'ids' });
const firewall = (action: 'pass' | 'deny', rules: readonly Document[], more: Document = {}): Document =>
  document('FirewallPolicy', 'a-web', { selectors: [{ matchLabels: { app: 'web' } }], action, rules, ...more });
const mirrorTo = (...names: readonly string[]): Document => ({ secondaryActions: { mirrorTo: names } });
/** What every interface may send and be sent besides. */
const REST = document('FirewallPolicy', 'b-rest', { rules: [{}] });
const INSIDE = { source: { virtualNetwork: 'web-net' }, destination: { virtualNetwork: 'web-net' } };

const webNet = (...policies: readonly string[]): Document =>
  network('web-net', { subnets: [{ prefix: '4.4.4.0/24' }], policies });
const tapNet = (...policies: readonly string[]): Document =>
  network('tap-net', { subnets: [{ prefix: '7.7.7.0/24' }], policies });

async function setUp(t: ExecutionContext) {
  const cluster = await Cluster.create(t);
  const web = await cluster.guest(1, 'web', 'web-net', ['4.4.4.3']);
  const db = await cluster.guest(1, 'db', 'web-net', ['4.4.4.4']);
  const ids = await cluster.guest(2, 'ids', 'tap-net', ['7.7.7.3']);
  const [h1] = cluster.hosts;
  await cluster.apply(
    webNet(),
    tapNet(),
    labelled(web.port, { app: 'web' }),
    labelled(db.port, { app: 'db' }),
    labelled(ids.port, { [LABEL]: 'ids' }),
  );
  await reaches(web.namespace, db.address);
  /** What arrives at the analyzer while web pings db. */
  const copies = async (filter = 'udp port 8099'): Promise<readonly string[]> => {
    const capture = await ids.namespace.capture('eth0', filter);
    await web.namespace.attempt(`ping -n -c 3 -i 0.2 -W 1 ${db.address}`);
    return capture.stop();
  };
  /** Waits until pings are copied so many times, each time tried with three of them. */
  const copied = (times: number, what = COPY, filter?: string): Promise<readonly string[]> =>
    until(
      `${times} copies arrive`,
      async () => {
        const lines = await copies(filter);
        return lines.filter((line) => line.includes(what)).length === times ? lines : undefined;
      },
      30_000,
    );
  const observations = async (kind: string, name: string): Promise<string> => {
    const { status } = await h1.daemon.object<{ status: Document }>(kind, name);
    return JSON.stringify(status['observations'] ?? status['observation']);
  };
  return { cluster, h1, web, db, ids, copied, observations };
}

type Scenario = Awaited<ReturnType<typeof setUp>>;

test('policies have packets copied for service instances and mirror destinations', async (t) => {
  const scenario = await setUp(t);
  await serviceInstance(t, scenario);
  await plainAnalyzer(t, scenario);
  await firewallPolicies(t, scenario);
  await withoutHeader(t, scenario);
  await externalAnalyzer(t, scenario);
});

/** A service instance needs no policy to its network, and opens none. */
async function serviceInstance(t: ExecutionContext, { cluster, h1, web, ids, copied }: Scenario): Promise<void> {
  await cluster.apply(
    document('ServiceTemplate', 'sniffer', { type: 'analyzer' }),
    document('ServiceInstance', 'dpi', { template: 'sniffer', interfaces: { left: 'ids' } }),
    policy('tap', { ...INSIDE, mirror: { analyzerName: 'dpi' } }),
    webNet('tap'),
  );
  const lines = await copied(6);
  t.true(
    lines.every((line) => line.includes(`${h1.address}.`)),
    lines.join('\n'),
  );
  t.not((await web.namespace.attempt('ping -c 1 -W 1 7.7.7.3')).code, 0, 'a route for copies lets nothing else pass');
  t.not((await ids.namespace.attempt('ping -c 1 -W 1 4.4.4.3')).code, 0);
  // Copies of an interface come from the host as well.
  const mirrors = [{ analyzerName: 'dpi', trafficDirection: 'ingress' }];
  const spec = web.port['spec'] as Document;
  await cluster.apply(webNet(), policy('tap'), { ...labelled(web.port, { app: 'web' }), spec: { ...spec, mirrors } });
  const sent = await copied(3, `UDP, length ${98 + 4 + NAME.length}`);
  t.true(
    sent.every((line) => line.includes(`${h1.address}.`)),
    sent.join('\n'),
  );
  await cluster.apply(labelled(web.port, { app: 'web' }));
}

/** An analyzer that is named by its address: a rule for its port between the networks lets copies in. */
async function plainAnalyzer(t: ExecutionContext, { cluster, copied }: Scenario): Promise<void> {
  const mirror = { analyzerName: 'DPI', analyzerIp: '7.7.7.3', udpPort: 8888 };
  const to = (port: number): Document =>
    policy('copies', {
      protocol: 'udp',
      source: { virtualNetwork: 'web-net' },
      destination: { virtualNetwork: 'tap-net', ports: [port] },
    });
  await cluster.apply(to(8888), policy('tap', { ...INSIDE, mirror }), webNet('tap', 'copies'), tapNet('copies'));
  t.is((await copied(6, COPY, 'udp port 8888')).length, 6);
  await cluster.apply(to(8889));
  await copied(0, COPY, 'udp port 8888');
  await cluster.apply(webNet(), tapNet(), policy('tap'));
}

/** Rules mirror, or the policy does; what is denied is copied, too. */
async function firewallPolicies(t: ExecutionContext, scenario: Scenario): Promise<void> {
  const { cluster, h1, web, db, ids, copied, observations } = scenario;
  const icmp = { destination: [{ selector: { matchLabels: { app: 'db' } } }], ports: [{ protocol: 'icmp' }] };
  const connect = policy('connect', {
    source: { virtualNetwork: 'web-net' },
    destination: { virtualNetwork: 'tap-net' },
  });
  await cluster.apply(connect, webNet('connect'), tapNet('connect'), REST, firewall('pass', [icmp], mirrorTo('ids')));
  t.regex(await observations('FirewallPolicy', 'a-web'), /MirrorDestination\/ids does not exist/);
  await copied(0);
  await cluster.apply(destination({}));
  await copied(6);

  await cluster.apply(destination({ trafficDirection: 'ingress' }));
  await copied(3);
  await cluster.apply(destination({}));

  // One rule with a mirror of its own: then the policy's means nothing, and pings are not copied any more.
  const other = { ports: [{ protocol: 'udp', port: 53 }], ...mirrorTo('ids') };
  await cluster.apply(firewall('pass', [icmp, other], mirrorTo('ids')));
  await copied(0);
  t.regex(await observations('FirewallPolicy', 'a-web'), /secondaryActions do nothing/);

  await cluster.apply(firewall('deny', [icmp], mirrorTo('ids')));
  await copied(3);
  t.not((await web.namespace.attempt(`ping -c 1 -W 1 ${db.address}`)).code, 0);
  t.true((await h1.daemon.run('flow', '-l')).includes('D(SG)'));

  // Another interface with the label changes nothing until the chosen one is without.
  const second = await cluster.guest(2, 'another', 'tap-net', ['7.7.7.4']);
  await cluster.apply(labelled(second.port, { [LABEL]: 'ids' }), firewall('pass', [icmp], mirrorTo('ids')));
  t.regex(await observations('MirrorDestination', 'ids'), /one of 2 with the label/);
  await copied(6);
  await cluster.apply(ids.port);
  const capture = await second.namespace.capture('eth0', 'udp port 8099');
  await web.namespace.ping(db.address, 3);
  t.is((await capture.stop()).filter((line) => line.includes(COPY)).length, 6);
  await cluster.apply(labelled(ids.port, { [LABEL]: 'ids' }), second.port);
}

/** Frames without header are for the MAC of the analyzer, and need no route. */
async function withoutHeader(t: ExecutionContext, { cluster, copied }: Scenario): Promise<void> {
  await cluster.apply(destination({ juniperHeader: false }), webNet(), tapNet());
  const lines = await copied(3, 'ICMP echo request', 'icmp and host 4.4.4.3');
  t.is(lines.filter((line) => line.includes('ICMP echo reply')).length, 3, lines.join('\n'));
}

/** An analyzer that no vrouterd knows, behind the underlay. */
async function externalAnalyzer(t: ExecutionContext, { cluster, h1, web, db }: Scenario): Promise<void> {
  const outside = await addMachine(cluster.lab, cluster.fabric, 'outside', OUTSIDE);
  await outside.run(`ip address add ${EXTERNAL}/32 dev lo`);
  await h1.namespace.run(`ip route add ${EXTERNAL}/32 via ${OUTSIDE}`);
  await cluster.apply(
    policy('out', { source: { virtualNetwork: 'web-net' }, destination: { virtualNetwork: 'ip-fabric' } }),
    webNet('out'),
    destination({ externalAnalyzer: true, analyzerIp: EXTERNAL, udpPort: 9098 }),
  );
  const lines = await until('copies arrive outside', async () => {
    const capture = await outside.capture('fabric0', `dst host ${EXTERNAL} and udp port 9098`);
    await web.namespace.ping(db.address, 3);
    const found = (await capture.stop()).filter((line) => line.includes(COPY));
    return found.length > 0 ? found : undefined;
  });
  t.true(lines.length <= 6, lines.join('\n'));
}
