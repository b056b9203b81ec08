/**
 * Real logins, many or few flows: OpenSSH on port 22, busybox's telnetd on port 23.
 *
 *   ┌ client ─────────┐   ┌ host ─────────────────────┐   ┌ server ─────────┐
 *   │ eth0 10.10.0.1  ├───┤ tapC   vrouterd      tapS ├───┤ eth0 8.8.8.8    │
 *   │      10.10.0.2  │   │  network mobile, one VRF  │   │ sshd, telnetd   │
 *   └─────────────────┘   └───────────────────────────┘   └─────────────────┘
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { InetRouteDump } from '../../daemon/src/control/dumps.js';
import type { FlowDump } from '../../daemon/src/control/flow-dumps.js';
import type { Daemon } from './lab/daemon.js';
import {
  ANY,
  ONE,
  ROWS,
  SERVER,
  TWO,
  expectedListing,
  normalised,
  tcp,
  vifInfo,
  type Pair,
  type Place,
  type Row,
  type Side,
} from './lab/flow-listing.js';
import { Lab } from './lab/lab.js';
import { LoginServer, type Login } from './lab/logins.js';
import type { Namespace } from './lab/namespace.js';
import { sleep, until } from './lab/process.js';
import { inside, network, port, portOf, type Document, type Port } from './lab/topology.js';

/** Headers of a TCP segment with timestamps, Ethernet's included. */
const HEADERS = 66;

interface Mobile {
  readonly daemon: Daemon;
  readonly client: Namespace;
  readonly logins: LoginServer;
  readonly port: Port;
  /** K(nh) of client and server. */
  readonly nexthops: { readonly client: number; readonly server: number };
  readonly serverVif: number;
  /** Says which sessions of the client share a flow. */
  fatFlows(rules: readonly Document[]): Promise<void>;
}

async function mobile(t: ExecutionContext, config = ''): Promise<Mobile> {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon({ config });
  const [client, server] = [await lab.namespace('client'), await lab.namespace('server')];
  const subnets = [
    { prefix: '10.10.0.0/24', gateway: '10.10.0.254', serviceAddress: '10.10.0.253' },
    { prefix: '8.8.8.0/24' },
  ];
  const fatFlows: Mobile['fatFlows'] = async (rules) => {
    const attach = (guest: Namespace): Document => inside(guest, { configure: true });
    await daemon.apply(
      network('mobile', { subnets }),
      port('client', 'mobile', attach(client), { addresses: [ONE, TWO], fatFlows: rules }),
      port('server', 'mobile', attach(server), { addresses: [SERVER] }),
    );
  };
  await fatFlows([]);
  // What is counted is compared with what is captured, frame by frame.
  for (const guest of [client, server]) await guest.run('ethtool -K eth0 tx off tso off gso off gro off');
  const clientPort = await portOf(daemon, 'client');
  const routes = await daemon.dump<InetRouteDump[]>('rt', `--dump ${clientPort.vif.vrf}`);
  const nexthopOf = (address: string): number => routes.find(({ prefix }) => prefix === address)?.nexthop ?? -1;
  return {
    daemon,
    client,
    logins: await LoginServer.start(server, SERVER),
    port: clientPort,
    nexthops: { client: nexthopOf(ONE), server: nexthopOf(SERVER) },
    serverVif: (await portOf(daemon, 'server')).vif.id,
    fatFlows,
  };
}

const placeOf = ({ port: { vif }, nexthops, serverVif }: Mobile): Place => {
  const side = (nexthop: number, id: number): Side => ({ key: nexthop, source: nexthop, info: vifInfo(id) });
  return { vrf: vif.vrf, client: side(nexthops.client, vif.id), server: side(nexthops.server, serverVif) };
};

const expected = (of: Mobile, match: string, pairs: readonly Pair[]): string[] =>
  expectedListing(placeOf(of), match, pairs);

const listing = (of: Mobile, match: string): Promise<string> =>
  of.daemon.run('flow', ['--match', `${match} & vrf ${of.port.vif.vrf}`]);

const tcpFlows = ({ daemon }: Mobile): Promise<FlowDump[]> => daemon.dump<FlowDump[]>('flow', ['--match', 'proto tcp']);

/** The flow from the client to the server once its counts do not move any more. */
async function settled(of: Mobile): Promise<FlowDump> {
  let before = '';
  return until('the counts stand still', async () => {
    const flows = await tcpFlows(of);
    const now = JSON.stringify(flows.map(({ packets }) => packets));
    if (now === before) return flows.find(({ destinationPort }) => destinationPort === 22);
    before = now;
    await sleep(400);
    return undefined;
  });
}

const ephemeral = (flow: FlowDump | undefined): string => `${ONE}:${flow?.sourcePort ?? 0}`;

/** `vif` from its fat flows on. */
const fatText = async ({ daemon, port: { vif } }: Mobile): Promise<string> =>
  (await daemon.run('vif', ['--get', String(vif.id)])).replace(/^[^]*\n {12}Drops:\d+\n/, '');

const EXCLUDED = `
            FatFlows IPv4 exclude prefix list:
            \t10.10.0.254
            \t10.10.0.253
            \t169.254.0.0

            FatFlows IPv6 exclude prefix list:
            \tfe80::

`;

/** The pairs a listing has to show while ssh and telnet are logged in. */
async function pairsOf(of: Mobile, { ssh, together }: Row): Promise<Pair[]> {
  const flows = await tcpFlows(of);
  const to = (wanted: number): FlowDump | undefined => flows.find((flow) => flow.destinationPort === wanted);
  const own = (wanted: number): Pair => [ephemeral(to(wanted)), `${SERVER}:${wanted}`, 'SSrEEr'];
  return [ssh === null ? own(22) : [ssh[0], ssh[1], ''], ...(together ? [] : [own(23)])];
}

test('ssh and telnet have the flows the rule says, and lose the plain ones when they end', async (t) => {
  const of = await mobile(t);
  for (const row of ROWS) {
    await of.fatFlows(row.fatFlows);
    await until(`flows of the rule before ${row.rule} are gone`, async () =>
      (await tcpFlows(of)).length === 0 ? true : undefined,
    );
    t.is(await fatText(of), row.vif === '' ? '\n' : `            FatFlows (Protocol/Port): ${row.vif}\n${EXCLUDED}`);
    const ssh = await of.logins.ssh(of.client, ONE);
    const telnet = await of.logins.telnet(of.client, ONE);
    t.deepEqual(normalised(await listing(of, row.match)), expected(of, row.match, await pairsOf(of, row)), row.rule);
    await ssh.close();
    await telnet.close();
    await until(`plain flows are gone (${row.rule})`, async () =>
      (await tcpFlows(of)).every(({ fat }) => fat) ? true : undefined,
    );
    const left = row.ssh === null ? [] : [[row.ssh[0], row.ssh[1], ''] as const];
    t.deepEqual(normalised(await listing(of, row.match)), expected(of, row.match, left), `${row.rule}, closed`);
  }
});

test('sessions of two sources are one pair where the source is ignored, and its counts are their sum', async (t) => {
  const of = await mobile(t);
  await of.fatFlows(tcp(22, 'source'));
  const capture = await of.daemon.namespace.capture(of.port.device, 'tcp port 22');
  const first = await of.logins.ssh(of.client, ONE);
  const alone = await settled(of);
  const second = await of.logins.ssh(of.client, TWO);
  const both = await settled(of);
  const [there, back] = await bothWays(of);
  t.is((await tcpFlows(of)).length, 2);
  t.is(there.index, alone.index);
  // How often they acknowledge differs, and a busy machine says something twice; else the two sessions say the same.
  const said = ({ packets, bytes }: FlowDump): number => bytes - packets * HEADERS;
  t.true(Math.abs(said(both) / said(alone) - 2) < 0.2, `${said(alone)} bytes of one session, ${said(both)} of two`);
  t.true(said(alone) > 1000);

  const frames = await capture.stop();
  const total = (way: RegExp): { packets: number; bytes: number } => {
    const lengths = frames.filter((line) => way.test(line)).map((line) => Number(/ length (\d+): /.exec(line)?.[1]));
    return { packets: lengths.length, bytes: lengths.reduce((sum, length) => sum + length, 0) };
  };
  t.like(there, total(/ > 8\.8\.8\.8\.22: /));
  t.like(back, total(/ 8\.8\.8\.8\.22 > /));
  t.deepEqual(normalised(await listing(of, SERVER)), expected(of, SERVER, [[`${ANY}:0`, `${SERVER}:22`, '']]));
  await closeAll(first, second);
});

test('a fat flow ends when none of its sessions had a packet for the time configured', async (t) => {
  const of = await mobile(t, 'flowAgeing: [{ protocol: tcp, port: 22, seconds: 6 }]');
  await of.fatFlows(tcp(22, 'none'));
  const first = await of.logins.ssh(of.client, ONE);
  const second = await of.logins.ssh(of.client, ONE);
  const [there] = await bothWays(of);
  await first.close();
  // Words of the second session keep what they share.
  for (let i = 0; i < 8; i++) {
    await second.say(`word${i}`);
    await sleep(1000);
  }
  t.like((await bothWays(of))[0], { index: there.index, generation: there.generation });
  const closing = Date.now();
  await second.close();
  t.is((await tcpFlows(of)).length, 2);
  const gone = async (): Promise<true | undefined> => ((await tcpFlows(of)).length === 0 ? true : undefined);
  await until('the fat flow is gone', gone, 30_000);
  const tookMs = Date.now() - closing;
  t.true(tookMs >= 6000, `${tookMs} ms`);
});

test('a session that is logged in goes on when the rule changes, in flows of its new kind', async (t) => {
  const of = await mobile(t);
  const ssh = await of.logins.ssh(of.client, ONE);
  await of.fatFlows(tcp(22, 'destination'));
  await ssh.say('folded');
  await until('the session is fat', async () => {
    const flows = await tcpFlows(of);
    return flows.length === 2 && flows.every(({ fat }) => fat) ? true : undefined;
  });
  t.deepEqual(normalised(await listing(of, ONE)), expected(of, ONE, [[`${ONE}:0`, `${ANY}:22`, '']]));
  await of.fatFlows([]);
  await ssh.say('unfolded');
  const flows = await tcpFlows(of);
  t.is(flows.length, 2);
  t.true(flows.every(({ fat, action }) => !fat && action === 'forward'));
  await ssh.close();
});

const closeAll = async (...logins: readonly Login[]): Promise<void> => {
  for (const one of logins) await one.close();
};

/** The only pair, the direction from the client first. */
async function bothWays(of: Mobile): Promise<[FlowDump, FlowDump]> {
  const flows = await tcpFlows(of);
  const there = flows.find(({ forward }) => forward);
  const back = flows.find(({ forward }) => !forward);
  if (!there || !back) throw new Error(`${flows.length} flows`);
  return [there, back];
}
