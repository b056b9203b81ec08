/**
 * The topology of config/scenarios/mobile-hosts.yaml, with real logins:
 *
 *   ┌ h1 ─────────────────────────┐             ┌ h2 ───────────────────────────────┐
 *   │ subscribers  172.30.100.3   │             │ chain     172.30.101.3            │
 *   │              10.10.0.1..10  ├── underlay ─┤ internet  8.8.8.8  sshd, telnetd  │
 *   └─────────────────────────────┘             └───────────────────────────────────┘
 */
import { readFile } from 'node:fs/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readYaml } from 'vrouterd/dist/yaml.js';
import type { InetRouteDump } from '../../daemon/src/control/dumps.js';
import type { FlowDump } from '../../daemon/src/control/flow-dumps.js';
import { Cluster, type Host, reaches } from './lab/cluster.js';
import {
  ONE,
  ROWS,
  SERVER,
  expectedListing,
  normalised,
  vifInfo,
  type Pair,
  type Place,
  type Row,
} from './lab/flow-listing.js';
import { LoginServer } from './lab/logins.js';
import type { Namespace } from './lab/namespace.js';
import { until } from './lab/process.js';
import { portOf, type Document } from './lab/topology.js';
import { tunnelTo } from './lab/tunnels.js';

const SCENARIO = new URL('../../config/scenarios/mobile-hosts.yaml', import.meta.url);

interface Mobile {
  readonly cluster: Cluster;
  readonly client: Namespace;
  readonly chain: Namespace;
  readonly logins: LoginServer;
  fatFlows(rules: readonly Document[]): Promise<void>;
}

async function mobile(t: ExecutionContext): Promise<Mobile> {
  const cluster = await Cluster.create(t);
  const documents = readYaml(await readFile(SCENARIO, 'utf8')) as readonly Scenario[];
  const guests = new Map<string, Namespace>();
  for (const { kind, metadata } of documents) {
    if (kind === 'VirtualMachineInterface') guests.set(metadata.name, await cluster.lab.namespace(metadata.name));
  }
  const guest = (name: string): Namespace => {
    const found = guests.get(name);
    if (!found) throw new Error(`the scenario has no guest ${name}`);
    return found;
  };
  const fatFlows: Mobile['fatFlows'] = (rules) =>
    cluster.apply(
      ...documents.map(({ spec, ...rest }) => {
        const fat = 'fatFlows' in spec ? { fatFlows: rules } : {};
        const attach = spec.attach ? { attach: { ...spec.attach, netns: guest(spec.attach.netns).name } } : {};
        return { ...rest, spec: { ...spec, ...fat, ...attach } };
      }),
    );
  await fatFlows([]);
  const [client, chain] = [guest('subscribers'), guest('chain')];
  const [h1, h2] = cluster.hosts;
  await tunnelTo(h1.daemon, 'subscribers', SERVER);
  await tunnelTo(h2.daemon, 'internet', ONE);
  return { cluster, client, chain, logins: await LoginServer.start(guest('internet'), SERVER), fatFlows };
}

interface Scenario extends Document {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly attach?: { readonly netns: string } };
}

/** What flows say at the host of the client, or at that of the server. */
async function placeAt(host: Host, name: string, other: Host, remote: string): Promise<Place> {
  const { vif, addresses } = await portOf(host.daemon, name);
  const routes = await host.daemon.dump<InetRouteDump[]>('rt', `--dump ${vif.vrf}`);
  const own = routes.find(({ prefix }) => prefix === addresses[0])?.nexthop ?? -1;
  const tunnel = (await tunnelTo(host.daemon, name, remote)).nexthop.id;
  // Both directions are looked up with the nexthop of the guest that is here.
  const near = { key: own, source: own, info: vifInfo(vif.id) };
  const far = { key: own, source: tunnel, info: other.address };
  const here = remote === SERVER;
  return { vrf: vif.vrf, client: here ? near : far, server: here ? far : near };
}

const tcpFlows = ({ daemon }: Host): Promise<FlowDump[]> => daemon.dump<FlowDump[]>('flow', ['--match', 'proto tcp']);

const listing = ({ daemon }: Host, match: string, vrf: number): Promise<string> =>
  daemon.run('flow', ['--match', `${match} & vrf ${vrf}`]);

/** The pairs the host of the subscribers has to show while ssh and telnet are logged in. */
async function pairsAt(host: Host, { ssh, together }: Row): Promise<Pair[]> {
  const flows = await tcpFlows(host);
  const own = (wanted: number): Pair => {
    const sourcePort = flows.find(({ destinationPort }) => destinationPort === wanted)?.sourcePort ?? 0;
    return [`${ONE}:${sourcePort}`, `${SERVER}:${wanted}`, 'SSrEEr'];
  };
  return [ssh === null ? own(22) : [ssh[0], ssh[1], ''], ...(together ? [] : [own(23)])];
}

test('sessions across hosts have the flows the rule says, with the tunnel and the other host in them', async (t) => {
  const of = await mobile(t);
  const [h1, h2] = of.cluster.hosts;
  const near = await placeAt(h1, 'subscribers', h2, SERVER);
  const far = await placeAt(h2, 'internet', h1, ONE);
  for (const row of ROWS) {
    await of.fatFlows(row.fatFlows);
    await until(`flows of the rule before ${row.rule} are gone`, async () =>
      (await tcpFlows(h1)).length === 0 ? true : undefined,
    );
    const ssh = await of.logins.ssh(of.client, ONE);
    const telnet = await of.logins.telnet(of.client, ONE);
    const pairs = await pairsAt(h1, row);
    t.deepEqual(normalised(await listing(h1, row.match, near.vrf)), expectedListing(near, row.match, pairs), row.rule);
    if (row.ssh === null)
      t.deepEqual(normalised(await listing(h2, ONE, far.vrf)), expectedListing(far, ONE, pairs), 'at the server');
    await ssh.close();
    await telnet.close();
    await until(`plain flows are gone (${row.rule})`, async () =>
      (await tcpFlows(h1)).every(({ fat }) => fat) ? true : undefined,
    );
  }
});

test('every subscriber reaches the internet and the chain, and both reach every subscriber', async (t) => {
  const { cluster, client, chain, logins } = await mobile(t);
  const subscribers = Array.from({ length: 10 }, (_, i) => `10.10.0.${i + 1}`);
  await reaches(client, '172.30.101.3');
  for (const address of subscribers) {
    const answers = await Promise.all([
      client.ping(SERVER, 1, ['-I', address]),
      client.ping('172.30.101.3', 1, ['-I', address]),
      logins.namespace.ping(address, 1),
      chain.ping(address, 1),
    ]);
    // Routed once, by the host of who sends.
    for (const [answer] of answers) t.regex(answer, /ttl=63/);
  }
  for (const { daemon } of cluster.hosts)
    t.is((await daemon.dump<FlowDump[]>('flow', '-l')).filter(({ action }) => action !== 'forward').length, 0);
});
