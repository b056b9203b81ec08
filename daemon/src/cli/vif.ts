/** `vif`: the interface table. */
import type { TrafficCounters, VifDump } from '../control/dumps.js';
import { json } from './columns.js';
import { formatDrops } from './dropstats.js';
import { command, index, parse, usage } from './tool.js';
import type { CommonOptions, Surroundings, Tool } from './tool.js';
import { formatFatFlows } from './vif-fat-flow.js';
import { formatMirrorMetadata, mirrorIndices } from './vif-mirror.js';
import { watchRates } from './vif-rate.js';

/** Status after bad options: the classic tool ends with 0. */
const BAD_USAGE = 0;

export type VifRequest = CommonOptions &
  (
    | { readonly op: 'list'; readonly rate: boolean }
    | { readonly op: 'get'; readonly id: number; readonly rate: boolean; readonly drops: boolean }
  );

interface VifOptions extends CommonOptions {
  readonly list?: boolean;
  readonly b?: boolean;
  readonly get?: number;
  readonly getDropStats?: boolean;
  readonly rate?: boolean;
}

/** Throws Exit for bad options and for `--help`. */
export function parseArgs(argv: readonly string[]): VifRequest {
  const spec = command('vif', 'shows the interfaces of the vrouter')
    .option('-l, --list', 'all interfaces')
    .option('-b', 'the same as --list')
    .option('-g, --get <vif>', 'the interface with this index', index)
    .option('--get-drop-stats', 'with --get: its drop counters too')
    .option('--rate', 'packets and errors per second, until q is pressed; k and j turn the page');
  const fail = usage(spec, BAD_USAGE);
  parse(spec, argv, fail);
  const { list, b, get, getDropStats: drops = false, rate = false, ...common } = spec.opts<VifOptions>();
  const listing = list ?? b ?? false;
  if (listing === (get !== undefined)) throw fail('give one of --list and --get');
  if (drops && (listing || rate)) throw fail('--get-drop-stats goes with --get alone');
  if (rate && common.json) throw fail('--rate is a live view and has no JSON form');
  return get === undefined ? { ...common, op: 'list', rate } : { ...common, op: 'get', id: get, rate, drops };
}

/** Every letter an interface can show; an operator reads it above each answer. */
const LEGEND = [
  ['P', 'Policy'],
  ['X', 'Cross Connect'],
  ['S', 'Service Chain'],
  ['Mr', 'Receive Mirror'],
  ['Mt', 'Transmit Mirror'],
  ['Tc', 'Transmit Checksum Offload'],
  ['L3', 'Layer 3'],
  ['L2', 'Layer 2'],
  ['D', 'DHCP'],
  ['Vp', 'Vhost Physical'],
  ['Pr', 'Promiscuous'],
  ['Vnt', 'Native Vlan Tagged'],
  ['Mnp', 'No MAC Proxy'],
  ['Dpdk', 'DPDK PMD Interface'],
  ['Rfl', 'Receive Filtering Offload'],
  ['Mon', 'Interface is Monitored'],
  ['Uuf', 'Unknown Unicast Flood'],
  ['Vof', 'VLAN insert/strip offload'],
  ['Df', 'Drop New Flows'],
  ['L', 'MAC Learning Enabled'],
  ['Proxy', 'MAC Requests Proxied Always'],
  ['Er', 'Etree Root'],
  ['Mn', 'Mirror without Vlan Tag'],
  ['Ig', 'Igmp Trap Enabled'],
] as const;
const LEGEND_COLUMNS = 4;

const INDENT = ' '.repeat(12);

function formatHeader(): string {
  const entries = LEGEND.map(([letter, meaning]) => `${letter}=${meaning}`);
  const lines = [];
  for (let i = 0; i < entries.length; i += LEGEND_COLUMNS) lines.push(entries.slice(i, i + LEGEND_COLUMNS).join(', '));
  return `Vrouter Interface Table\n\nFlags: ${lines.join('\n       ')}\n\n`;
}

const formatCounters = (title: string, c: TrafficCounters): string =>
  `${INDENT}${title} packets:${c.packets}  bytes:${c.bytes} errors:${c.errors}`;

/** The agent's interface has no device behind it, so its name stands alone. */
function formatName({ type, name, link }: VifDump): string {
  const speed = link ? ` (Speed ${link.speed}, Duplex ${link.duplex})` : '';
  return `${type === 'Agent' ? '    ' : 'OS: '}${name}${speed}`;
}

/** With metadata: what `--get` adds. */
function formatBlock(vif: VifDump, hasMetadata: boolean): string {
  const lines = [
    `vif0/${vif.id}`.padEnd(INDENT.length) + formatName(vif),
    `${INDENT}Type:${vif.type} HWaddr:${vif.mac} IPaddr:${vif.ip}`,
    ...(vif.ip6 === null ? [] : [`${INDENT}IP6addr:${vif.ip6}`]),
    `${INDENT}Vrf:${vif.vrf} Mcast Vrf:${vif.mcastVrf} Flags:${vif.flags.join('') || 'NULL'} QOS:${vif.qos} Ref:${vif.ref}${mirrorIndices(vif)}`,
    formatCounters('RX', vif.rx),
    formatCounters('TX', vif.tx),
    `${INDENT}Drops:${vif.drops}`,
  ];
  const metadata = hasMetadata ? formatMirrorMetadata(vif) : '';
  return `${lines.join('\n')}\n${metadata}${formatFatFlows(vif) || '\n'}`;
}

/** The legend and one block per interface. */
export const format = (vifs: readonly VifDump[]): string =>
  formatHeader() + vifs.map((one) => formatBlock(one, false)).join('');

/** The legend and all there is to show of one interface. */
export const formatOne = (one: VifDump): string => formatHeader() + formatBlock(one, true);

async function run(argv: readonly string[], { connect, screen }: Surroundings): Promise<string> {
  const request = parseArgs(argv);
  const daemon = connect(request.socket);
  if (request.rate) {
    const sample = request.op === 'list' ? () => daemon.vifs() : async () => [await daemon.vif(request.id)];
    await watchRates(sample, screen);
    return '';
  }
  if (request.op === 'list') {
    const vifs = await daemon.vifs();
    return request.json ? json(vifs) : format(vifs);
  }
  const vif = await daemon.vif(request.id);
  if (!request.drops) return request.json ? json(vif) : formatOne(vif);
  const dropCounters = await daemon.vifDrops(request.id);
  return request.json ? json({ ...vif, dropCounters }) : formatOne(vif) + formatDrops(dropCounters);
}

export const vif: Tool = { name: 'vif', run };
