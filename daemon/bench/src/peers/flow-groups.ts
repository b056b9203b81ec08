import { readFile } from 'node:fs/promises';
import type { StatusDump } from '../../../src/control/dumps.js';
import type { Daemon } from '../../../../integration/dist/lab/daemon.js';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import { sleep } from '../../../../integration/dist/lab/process.js';
import type { Document } from '../../../../integration/dist/lab/topology.js';
import type { Path } from './contender.js';
import { guestNamespaces } from './guest.js';
import { count, packets, ping, tcp, WARM_UP } from './measures.js';
import { inNamespaces } from './vrouterd.js';

/** What the daemon does with sessions, as opposed to packets: how fast they begin, what many of them cost, what a flood does to others. */

/** How long the parts take, seconds. */
export interface FlowDurations {
  readonly packets: number;
  /** Whole ones. */
  readonly tcp: number;
  readonly roundTrips: number;
  /** Sessions of the flood. */
  readonly flood: number;
}

export type FlowValues = Readonly<Record<string, number | undefined>>;

/** One line of a table, measured in each round. */
export interface FlowRow {
  readonly title: string;
  readonly run: (durations: FlowDurations) => Promise<FlowValues>;
}

interface FlowColumn {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
  /** What one of the values shown is. */
  readonly unit: number;
}

/** A table; the ratios are to its first row, within a round. */
export interface FlowGroup {
  readonly id: string;
  readonly title: string;
  readonly columns: readonly FlowColumn[];
  readonly rows: readonly FlowRow[];
  readonly ratio?: { readonly key: string; readonly title: string };
  readonly remark: string;
}

/** A table for a million entries and more. */
const LARGE = 'datapath: { flowEntries: 2097152, flowsPerInterface: 2097152 }';
const SYN_BYTES = 54;
const PACKET_COLUMNS: readonly FlowColumn[] = [
  { key: 'packets', title: 'packets', digits: 0, unit: 1000 },
  { key: 'cpu', title: 'CPU', digits: 0, unit: 1 },
];

/** Numbers of flows nobody has used yet. */
let nextFlow = 0;
function freshFlows(flows: number): number {
  const first = nextFlow;
  nextFlow += flows;
  return first;
}

const status = (daemon: Daemon): Promise<StatusDump> => daemon.dump<StatusDump>('vrouter', 'status');

/** Two guests in a network of their own. `more` is said of both interfaces. */
async function pathOf(lab: Lab, daemon: Daemon, name: string, more: Document = {}): Promise<Path> {
  const namespaces = await guestNamespaces(lab, `${daemon.host}-${name}`);
  return { ...(await inNamespaces(daemon, name, 'tap', namespaces, more)), forwarder: daemon.pid };
}

async function measured(path: Path, seconds: number): Promise<FlowValues> {
  const { packets60, cpu60 } = await packets(path, 60, seconds);
  return { packets: packets60, cpu: cpu60 };
}

/** New sessions: each packet begins one. */
export async function sessionGroup(lab: Lab): Promise<FlowGroup> {
  const daemon = await lab.daemon({ host: 'sessions', config: `${LARGE}\nflowAgeing: [{ seconds: 1 }]` });
  const rows: FlowRow[] = [];
  for (const rules of [0, 10, 1000]) {
    const name = `rules${rules}`;
    if (rules > 0) await daemon.apply(securityGroup(name, rules));
    const path = await pathOf(lab, daemon, name, rules > 0 ? { securityGroups: [name] } : {});
    rows.push({
      title: rules === 0 ? 'no rules' : `${rules} rules, the last of which lets it pass`,
      run: async ({ packets: seconds }) => {
        const udp = await newSessions(daemon, path, 'udp', seconds);
        const syn = await newSessions(daemon, path, 'syn', seconds);
        return { udp: udp.rate, udpCpu: udp.cpu, syn: syn.rate, synCpu: syn.cpu };
      },
    });
  }
  return {
    id: 'sessions',
    title: 'New sessions',
    columns: [
      { key: 'udp', title: 'UDP', digits: 0, unit: 1000 },
      { key: 'udpCpu', title: 'CPU', digits: 0, unit: 1 },
      { key: 'syn', title: 'SYN', digits: 0, unit: 1000 },
      { key: 'synCpu', title: 'CPU', digits: 0, unit: 1 },
    ],
    rows,
    remark:
      'Thousands a second, and the CPU time of all threads for one, nanoseconds. Every packet is the first of its session; idle ones are aged after a second meanwhile.',
  };
}

/** Rules that do not match, and one that does behind them. */
function securityGroup(name: string, rules: number): Document {
  const others = Array.from({ length: rules - 1 }, (_, i) => ({
    protocol: i % 2 === 0 ? 'tcp' : 'udp',
    ports: [20_000 + i],
    remotePrefix: `10.${100 + (i % 100)}.${Math.floor(i / 100)}.0/24`,
  }));
  const spec = { egress: [...others, {}], ingress: [...others, {}] };
  return { apiVersion: 'vrouter/v1', kind: 'SecurityGroup', metadata: { name }, spec };
}

/** Sessions that begin a second, and what one costs. Throws when packets passed without a session of their own. */
async function newSessions(
  daemon: Daemon,
  path: Path,
  kind: 'udp' | 'syn',
  seconds: number,
): Promise<{ rate: number; cpu: number | undefined }> {
  const before = (await status(daemon)).flows.created;
  const most = Math.ceil((WARM_UP + seconds + 1) * 1_000_000);
  const flows = { kind, count: most, first: freshFlows(most) };
  const bytes = kind === 'syn' ? SYN_BYTES : 60;
  const over = path.a.generate(path.b, { bytes, rate: 0, seconds: WARM_UP + seconds + 0.1, flows });
  const counted = await count(path.b, seconds, path.forwarder);
  await over;
  const created = (await status(daemon)).flows.created - before;
  if (created < counted.packets) throw new Error(`${counted.packets} packets, but only ${created} sessions`);
  const cpu = counted.packets === 0 ? undefined : counted.cpuNs / counted.packets;
  return { rate: counted.packets / counted.seconds, cpu };
}

/** Packets of many sessions that exist already. */
export async function activeGroup(lab: Lab): Promise<FlowGroup> {
  const daemon = await lab.daemon({ host: 'active', config: LARGE });
  const path = await pathOf(lab, daemon, 'active');
  const rows = [1_000, 100_000, 1_000_000].map((entries): FlowRow => {
    const flows = { kind: 'udp', count: entries / 2, first: freshFlows(entries / 2) } as const;
    return {
      title: `${entries.toLocaleString('en')} entries`,
      run: async ({ packets: seconds }) => {
        await path.a.generate(path.b, { bytes: 60, rate: 0, seconds: 0.2 + flows.count / 100_000, flows });
        const { active } = (await status(daemon)).flows;
        const over = path.a.generate(path.b, { bytes: 60, rate: 0, seconds: WARM_UP + seconds + 0.1, flows });
        const counted = await count(path.b, seconds, path.forwarder);
        await over;
        return { packets: counted.packets / counted.seconds, cpu: counted.cpuNs / counted.packets, active };
      },
    };
  });
  return {
    id: 'active',
    title: 'Many sessions',
    columns: [...PACKET_COLUMNS, { key: 'active', title: 'entries in use', digits: 0, unit: 1 }],
    rows,
    ratio: { key: 'cpu', title: 'CPU to the first' },
    remark:
      'Datagrams of 60 bytes of so many sessions in turn. The target is less than three times the CPU time of the first.',
  };
}

/** What fat-flow rules cost that are looked at for each packet. */
export async function fatGroup(lab: Lab): Promise<FlowGroup> {
  const daemon = await lab.daemon({ host: 'fat' });
  const others = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => ({ protocol: i % 2 === 0 ? 'tcp' : 'udp', port: 20_000 + i }));
  const kinds: readonly (readonly [string, string, Document])[] = [
    ['plain', 'no fat-flow rules', {}],
    ['others', 'eight rules that do not match', { fatFlows: others }],
    ['match', 'a rule that matches', { fatFlows: [{ protocol: 'udp', port: 9 }] }],
    ['prefix', 'a rule with a prefix that matches', { fatFlows: [PREFIX_RULE] }],
  ];
  const rows: FlowRow[] = [];
  for (const [name, title, more] of kinds) {
    const path = await pathOf(lab, daemon, name, more);
    rows.push({ title, run: ({ packets: seconds }) => measured(path, seconds) });
  }
  return {
    id: 'fat',
    title: 'Fat flows',
    columns: PACKET_COLUMNS,
    rows,
    ratio: { key: 'cpu', title: 'CPU to the first' },
    remark: 'Datagrams of 60 bytes of 1,024 flows. The target is 1.05 at most for rules without prefixes.',
  };
}

const PREFIX_RULE = {
  protocol: 'udp',
  port: 9,
  sourcePrefix: '10.99.0.0/16',
  sourceAggregateLength: 28,
};

/** With flows and without. */
export async function modeGroup(lab: Lab): Promise<FlowGroup> {
  const daemon = await lab.daemon({ host: 'modes' });
  const rows: FlowRow[] = [];
  for (const [name, title, packetMode] of [
    ['flow', 'flow mode', false],
    ['packet', 'packet mode', true],
  ] as const) {
    const path = await pathOf(lab, daemon, name, { packetMode });
    rows.push({
      title,
      run: async ({ packets: seconds, roundTrips, flood }) => {
        const values = await measured(path, seconds);
        const first = await ping(path, roundTrips, 'first');
        const later = await ping(path, roundTrips);
        const before = (await status(daemon)).flows.created;
        const flows = { kind: 'syn', count: flood, first: freshFlows(flood) } as const;
        await path.a.generate(path.b, { bytes: SYN_BYTES, rate: 0, seconds, flows });
        const made = (await status(daemon)).flows.created - before;
        return { ...values, first: first?.p50, first99: first?.p99, later: later?.p50, made };
      },
    });
  }
  return {
    id: 'modes',
    title: 'Packet mode',
    columns: [
      ...PACKET_COLUMNS,
      { key: 'first', title: 'first round trip', digits: 0, unit: 1 },
      { key: 'first99', title: 'p99', digits: 0, unit: 1 },
      { key: 'later', title: 'later', digits: 0, unit: 1 },
      { key: 'made', title: 'sessions of a flood', digits: 0, unit: 1 },
    ],
    rows,
    ratio: { key: 'packets', title: 'packets to the first' },
    remark:
      'Round trips in microseconds; the first one of a session makes its flow entries. The flood are SYNs, each of another session; in packet mode they leave nothing behind.',
  };
}

/** What others have while one guest floods. */
export async function floodGroup(lab: Lab): Promise<FlowGroup> {
  const daemon = await lab.daemon({ host: 'flood' });
  const flooding = await pathOf(lab, daemon, 'mad');
  const calm = await pathOf(lab, daemon, 'calm');
  const beside = async (flows: number, durations: FlowDurations): Promise<FlowValues> => {
    const before = await status(daemon);
    const seconds = durations.tcp + 2.5 + (flows > 1 ? FILL_MS / 1000 : 0);
    const load = { kind: 'syn', count: flows, first: freshFlows(flows) } as const;
    const over = flooding.a.generate(flooding.b, { bytes: SYN_BYTES, rate: 0, seconds, flows: load });
    await sleep(500);
    // The others are looked at when the flood has all it may have.
    const isRefused = async (): Promise<boolean> => (await status(daemon)).flows.limited > before.flows.limited;
    for (const end = Date.now() + FILL_MS; flows > 1 && Date.now() < end && !(await isRefused());) await sleep(100);
    const memory = await ownBytes(daemon.pid);
    const { tcp: gbits } = await tcp(calm, durations.tcp);
    const { opened, slowest } = await openConnections(calm);
    const grown = (await ownBytes(daemon.pid)) - memory;
    await over;
    const after = await status(daemon);
    const refused = after.flows.limited + after.flows.tableFull - before.flows.limited - before.flows.tableFull;
    return { tcp: gbits, opened, slowest, refused, grown };
  };
  return {
    id: 'flood',
    title: 'A guest that floods',
    columns: [
      { key: 'tcp', title: 'TCP of others', digits: 1, unit: 1 },
      { key: 'opened', title: `connections of ${CONNECTIONS}`, digits: 0, unit: 1 },
      { key: 'slowest', title: 'slowest, ms', digits: 1, unit: 1 },
      { key: 'refused', title: 'refused', digits: 0, unit: 1000 },
      { key: 'grown', title: 'memory, MB', digits: 1, unit: 1e6 },
    ],
    rows: [
      { title: 'SYNs of one session', run: (durations) => beside(1, durations) },
      { title: 'SYNs of millions of sessions', run: (durations) => beside(durations.flood, durations) },
    ],
    ratio: { key: 'tcp', title: 'TCP to the first' },
    remark:
      'Two other guests meanwhile: one TCP stream in Gbit/s, then new connections one after the other. Refused sessions in thousands; memory is what the daemon grew by, without the flow table. The target is half the throughput beside the flood of one session.',
  };
}

/** Longest time until a flood has all the entries it may have, ms. */
const FILL_MS = 3000;
const CONNECTIONS = 50;
const CONNECT = `
const { connect } = require('node:net');
let opened = 0, slowest = 0;
const next = (left) => {
  if (left === 0) return console.log(opened, slowest);
  const start = performance.now();
  const socket = connect(+process.argv[2], process.argv[1]);
  socket.setTimeout(3000, () => socket.destroy());
  socket.on('connect', () => { opened++; slowest = Math.max(slowest, performance.now() - start); socket.destroy(); });
  socket.on('error', () => undefined).on('close', () => next(left - 1));
};
next(${CONNECTIONS});`;
const ACCEPT = `require('node:net').createServer((s) => s.resume()).listen(+process.argv[1], () => console.log('ready'));`;
const CONNECT_PORT = 5202;

/** How many of some connections could be opened, and how long the slowest took, ms. */
async function openConnections({ a, b }: Path): Promise<{ opened: number; slowest: number }> {
  const server = b.namespace.spawn([process.execPath, '-e', ACCEPT, String(CONNECT_PORT)]);
  try {
    await server.waitFor(/ready/);
    const command = [process.execPath, '-e', CONNECT, b.address, String(CONNECT_PORT)];
    const text = await a.namespace.run(command, { timeoutMs: 200_000 });
    const [opened, slowest] = text.trim().split(' ').map(Number);
    return { opened, slowest };
  } finally {
    await server.stop('SIGKILL');
  }
}

/** Memory of a process that is in RAM, bytes, without files it maps: the flow table is one. */
async function ownBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}
