/** `nh`: the nexthop table. */
import type { NexthopDump, TunnelDump, UdpTunnelDump } from '../control/dumps.js';
import type { Daemon } from './client.js';
import { json } from './columns.js';
import { command, index, parse, usage } from './tool.js';
import type { CommonOptions, Surroundings, Tool } from './tool.js';

/** Status after bad options: -EINVAL, as a shell sees it. */
const BAD_USAGE = 234;

export type NhRequest = CommonOptions & ({ readonly op: 'list' } | { readonly op: 'get'; readonly id: number });

/** Throws Exit for bad options and for `--help`. */
export function parseArgs(argv: readonly string[]): NhRequest {
  const spec = command('nh', 'shows the nexthops of the vrouter')
    .option('--list', 'all nexthops')
    .option('--get <nh>', 'the nexthop with this id, and the members of a composite', index);
  const fail = usage(spec, BAD_USAGE);
  parse(spec, argv, fail);
  const { list, get, ...common } = spec.opts<CommonOptions & { list?: true; get?: number }>();
  if ((list ?? false) === (get !== undefined)) throw fail('give one of --list and --get');
  return get === undefined ? { ...common, op: 'list' } : { ...common, op: 'get', id: get };
}

const INDENT = ' '.repeat(14);
/** Members of a composite start a new line behind this many characters. */
const MEMBERS_WIDTH = 60;

/** Hex digits as bytes, each followed by a space. */
const bytes = (hex: string): string => hex.replace(/../g, '$& ');

function formatMembers(members: NonNullable<NexthopDump['members']>): string {
  let text = 'Sub NH(label):';
  let printed = 0;
  for (const { nexthop, label } of members) {
    if (printed > MEMBERS_WIDTH) {
      text += `\n${INDENT}${INDENT}`;
      printed = 0;
    }
    const member = label < 0 ? ` ${nexthop}` : ` ${nexthop}(${label})`;
    text += member;
    printed += member.length;
  }
  return text;
}

/** An IPv6 tunnel has spaces behind the colons. */
function tunnelLines({
  oif,
  data,
  source,
  destination,
  l3VxlanMac,
}: Pick<TunnelDump, 'oif' | 'data' | 'source' | 'destination' | 'l3VxlanMac'>): string[] {
  const space = source.includes(':') ? ' ' : '';
  const mac = l3VxlanMac === null ? '' : ` L3_Vxlan_Mac: ${l3VxlanMac}`;
  return [
    `Oif:${oif} Len:${data.length / 2} Data:${bytes(data)}`,
    `Sip:${space}${source} Dip:${space}${destination}${mac}`,
  ];
}

/** A newline of its own closes it. */
const portsLine = ({ sourcePort, destinationPort }: UdpTunnelDump): string =>
  `Sport:${sourcePort} Dport:${destinationPort}\n`;

function formatNexthop(nh: NexthopDump): string {
  const head =
    `Id:${String(nh.id).padEnd(9)}  Type:${nh.type.padEnd(13)}  Fmly:${nh.family.padStart(8)}  Rid:${nh.rid}  ` +
    `Ref_cnt:${String(nh.refCount).padEnd(10)} Vrf:${nh.vrf}`;
  const lines = [head, `Flags:${nh.flags.map((flag) => `${flag}, `).join('') || 'None'}`];
  if (nh.oif !== undefined) lines.push(`Oif:${nh.oif}`);
  if (nh.encap) {
    const { family, oif, data } = nh.encap;
    lines.push(`EncapFmly:${family.toString(16).padStart(4, '0')} Oif:${oif} Len:${data.length / 2}`);
    lines.push(`Encap Data: ${bytes(data)}`);
  }
  if (nh.tunnel) lines.push(...tunnelLines(nh.tunnel));
  if (nh.udpTunnel) lines.push(...tunnelLines({ l3VxlanMac: null, ...nh.udpTunnel }), portsLine(nh.udpTunnel));
  if (nh.type === 'Vrf_Translate') lines.push(`Vrf:${nh.vrf}`);
  if (nh.members) lines.push(formatMembers(nh.members));
  return `${lines.join(`\n${INDENT}`)}\n\n`;
}

/** One block per nexthop. */
export const format = (nexthops: readonly NexthopDump[]): string => nexthops.map(formatNexthop).join('');

/** The nexthop and, of a composite, every member in full, depth first. A member -1 is an empty slot. */
async function withMembers(daemon: Daemon, id: number): Promise<NexthopDump[]> {
  const nh = await daemon.nexthop(id);
  const all = [nh];
  for (const member of nh.members ?? [])
    if (member.nexthop >= 0) all.push(...(await withMembers(daemon, member.nexthop)));
  return all;
}

async function run(argv: readonly string[], { connect }: Surroundings): Promise<string> {
  const request = parseArgs(argv);
  const daemon = connect(request.socket);
  if (request.op === 'get' && request.json) return json(await daemon.nexthop(request.id));
  const nexthops = request.op === 'list' ? await daemon.nexthops() : await withMembers(daemon, request.id);
  return request.json ? json(nexthops) : format(nexthops);
}

export const nh: Tool = { name: 'nh', run };
