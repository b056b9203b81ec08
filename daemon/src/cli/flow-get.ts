/** `flow --get`: everything there is to know of one flow. */
import type { DropstatsDump, InetRouteDump, NexthopDump, VifDump } from '../control/dumps.js';
import type { FlowDump } from '../control/flow-dumps.js';
import type { MirrorDump } from '../control/mirror-dumps.js';
import { protocolTitle } from '../control/flow-match.js';
import type { Daemon } from './client.js';
import { shortMac } from './columns.js';
import { Exit, STATUS } from './exit.js';
import { formatNames } from './flow-format.js';

const WIDTH = 30;
const INDENT = ' '.repeat(WIDTH);

/** A nexthop, and the interface it leads to; null: there is none. */
interface Hop {
  readonly nexthop: NexthopDump | null;
  readonly vif: VifDump | null;
}

/** Where an address is: its route and what that leads to; null: no route covers it. */
interface Whereabouts {
  readonly vrf: number;
  readonly route: InetRouteDump | null;
  readonly hop: Hop;
}

/** A mirror, and the nexthop copies for it take; null: it is gone. */
interface MirrorWay {
  readonly mirror: MirrorDump | null;
  readonly hop: Hop;
}

/** What `formatDetails` shows beside the flow. */
export interface FlowDetails {
  readonly flow: FlowDump;
  /** The other direction, null: none. */
  readonly reverse: FlowDump | null;
  /** Where packets must come from; null: from anywhere. */
  readonly expected: Hop | null;
  readonly source: Whereabouts;
  readonly destination: Whereabouts;
  /** Its mirrors in order. */
  readonly mirrors: readonly MirrorWay[];
  readonly drops: DropstatsDump;
}

/** Asks the daemon for all of it. */
export async function flowDetails(daemon: Daemon, index: number): Promise<FlowDetails> {
  const flow = await daemon.flow(index);
  const destinationVrf = flow.destinationVrf ?? flow.vrf;
  return {
    flow,
    reverse: flow.reverse === null ? null : await orNull(daemon.flow(flow.reverse)),
    expected: flow.rpfNexthop === null ? null : await hopOf(daemon, flow.rpfNexthop),
    source: await whereabouts(daemon, flow, flow.source, flow.vrf),
    destination: await whereabouts(daemon, flow, flow.destination, destinationVrf),
    mirrors: await Promise.all(flow.mirrors.map((mirror) => mirrorWay(daemon, mirror))),
    drops: await daemon.dropstats(),
  };
}

async function whereabouts(daemon: Daemon, flow: FlowDump, address: string, vrf: number): Promise<Whereabouts> {
  const { family } = flow;
  const route = await orNull(daemon.inetRoute(vrf, family, address, family === 'inet' ? 32 : 128));
  return { vrf, route, hop: route === null ? { nexthop: null, vif: null } : await hopOf(daemon, route.nexthop) };
}

async function mirrorWay(daemon: Daemon, index: number): Promise<MirrorWay> {
  const mirror = await orNull(daemon.mirror(index));
  return { mirror, hop: mirror === null ? { nexthop: null, vif: null } : await hopOf(daemon, mirror.nexthop) };
}

async function hopOf(daemon: Daemon, id: number): Promise<Hop> {
  const nexthop = await orNull(daemon.nexthop(id));
  const oif = nexthop?.encap?.oif ?? nexthop?.oif ?? -1;
  return { nexthop, vif: oif < 0 ? null : await orNull(daemon.vif(oif)) };
}

/** What is gone meanwhile is not there. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Exit && error.status === STATUS.refused) return null;
    throw error;
  }
}

/** One field a line, values from column 30 on. */
export function formatDetails(details: FlowDetails): string {
  const { flow, reverse, expected, source, destination, mirrors, drops } = details;
  const field = (name: string, ...values: readonly string[]): string =>
    `${name.padEnd(WIDTH)}${values.join(`\n${INDENT}`)}\n`;
  return [
    field('Flow Index', String(flow.index)),
    field('Flow Generation ID', String(flow.generation)),
    field('Reverse Flow Index', flow.reverse === null ? 'none' : String(flow.reverse)),
    field('VRF', String(flow.vrf)),
    field('Destination VRF', String(flow.destinationVrf ?? flow.vrf)),
    field('Flow Source', `[${flow.source}]:${flow.sourcePort}`),
    field('Flow Destination', `[${flow.destination}]:${flow.destinationPort}`),
    field('Flow Protocol', protocolTitle(flow.protocol)),
    field('Flow Action', ...actionLines(flow, reverse)),
    ...(flow.names ? [field('Flow Names', formatNames(flow, flow.names))] : []),
    field('Expected Source', ...(expected === null ? ['not checked'] : hopLines(expected, 'Ingress Interface'))),
    field('Source Information', ...whereaboutsLines(source)),
    field('Destination Information', ...whereaboutsLines(destination)),
    field('Flow Flags', words([...flow.flags, ...(mirrors.length > 0 ? [MIRRORED] : [])], FLAG_NAMES)),
    ...(flow.protocol === 6 ? [field('TCP FLAGS', words(flow.tcp, TCP_NAMES))] : []),
    field('UDP Source Port', String(flow.udpSourcePort)),
    ...(mirrors.length > 0 ? [field('Mirror Index', flow.mirrors.join(', '))] : []),
    ...mirrors.map((way, i) => field(i === 0 ? 'Primary Mirror' : 'Secondary Mirror', ...mirrorLines(way))),
    field('Flow Statistics', `${flow.packets}/${flow.bytes}`),
    field(
      'System Wide Packet Drops',
      `Reverse Path Failures: ${drops['Invalid Source'] ?? 0}`,
      `Flow Block Drops: ${drops['Flow Action Drop'] ?? 0}`,
    ),
  ].join('');
}

/** Of an entry with mirrors, which `flow -l` shows in another place. */
const MIRRORED = 'Mirror';
const FLAG_NAMES: Readonly<Record<string, string>> = {
  E: 'EVICTED',
  Ec: 'EVICT CANDIDATE',
  N: 'NEW',
  M: 'MODIFIED',
  Dm: 'DELETE MARKED',
  [MIRRORED]: 'MIRROR',
};
const TCP_NAMES: Readonly<Record<string, string>> = {
  S: 'SYN',
  Sr: 'SYN(REVERSE)',
  E: 'ESTABLISHED',
  Er: 'ESTABLISHED(REVERSE)',
  F: 'FIN',
  Fr: 'FIN(REVERSE)',
  R: 'RESET',
  C: 'HALFCLOSED',
  D: 'DEAD',
};
const NAT_NAMES: Readonly<Record<string, string>> = {
  S: 'SourceNAT',
  Ps: 'SourcePortNAT',
  D: 'DestinationNAT',
  Pd: 'DestinationPortNAT',
  L: 'LinkLocalNAT',
};

const words = (letters: readonly string[], names: Readonly<Record<string, string>>): string =>
  letters.map((letter) => names[letter]).join(', ') || 'none';

/** Packets are rewritten to what the reverse entry is the answer to. */
function actionLines(flow: FlowDump, reverse: FlowDump | null): string[] {
  switch (flow.action) {
    case 'forward':
    case 'hold':
      return [flow.action.toUpperCase()];
    case 'drop':
      return [`DROP: ${flow.dropReason ?? ''}`];
    case 'nat': {
      const changes = `NAT: ${words(flow.nat, NAT_NAMES)}`;
      if (reverse === null) return [changes];
      const source = `[${reverse.destination}]:${reverse.destinationPort}`;
      return [changes, `NAT(Source, Destination): ${source}, [${reverse.source}]:${reverse.sourcePort}`];
    }
  }
}

function hopLines({ nexthop, vif }: Hop, title: string): string[] {
  if (nexthop === null) return ['NextHop: none'];
  const lines = [`NextHop(Index, VRF, Type): ${nexthop.id}, ${nexthop.vrf}, ${nexthop.type.toUpperCase()}`];
  if (vif !== null) {
    lines.push(`${title}(Index, VRF, OS): vif0/${vif.id}, ${vif.vrf}, ${vif.name}`);
    lines.push(`Interface Statistics(Out, In, Errors): ${vif.tx.packets}, ${vif.rx.packets}, ${vif.rx.errors}`);
  }
  return lines;
}

function mirrorLines({ mirror, hop }: MirrorWay): string[] {
  if (mirror === null) return ['none'];
  const { name, state } = mirror;
  return [`Analyzer: ${name}${state === 'resolved' ? '' : ` (${state})`}`, ...hopLines(hop, 'Interface')];
}

function whereaboutsLines({ vrf, route, hop }: Whereabouts): string[] {
  const lines = [`VRF: ${vrf}`, 'Layer 3 Route Information'];
  if (route === null) return [...lines, 'Matching Route: none'];
  lines.push(`Matching Route: ${route.prefix}/${route.length}`, ...hopLines(hop, 'Interface'));
  if (route.stitchedMac !== null) {
    lines.push('Layer 2 Route Information', `DestinationMAC: ${shortMac(route.stitchedMac)}`);
  }
  return lines;
}
