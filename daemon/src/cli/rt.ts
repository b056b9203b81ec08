/** `rt`: the routing and bridge tables of a VRF. */
import { isIP } from 'node:net';

import { Option } from 'commander';
import ipaddr from 'ipaddr.js';

import type { BridgeRouteDump, InetFamily, InetRouteDump } from '../control/dumps.js';
import { json, shortMac } from './columns.js';
import type { Exit } from './exit.js';
import { command, index, parse, usage } from './tool.js';
import type { CommonOptions, Surroundings, Tool } from './tool.js';

const BAD_USAGE = 1;

type Family = InetFamily | 'bridge';

export type RtRequest = CommonOptions & { readonly vrf: number } & (
    | { readonly op: 'dump'; readonly family: Family }
    | { readonly op: 'get'; readonly family: InetFamily; readonly address: string; readonly length: number }
    | { readonly op: 'getMac'; readonly mac: string }
  );

/** Throws Exit for bad options and for `--help`. */
export function parseArgs(argv: readonly string[]): RtRequest {
  const spec = command('rt', 'shows the routes of a VRF')
    .option('--dump <vrf>', 'all routes of this VRF', index)
    .addOption(new Option('--family <family>', 'table to read').choices(['inet', 'inet6', 'bridge']))
    .option('--get <route>', 'one route: ADDRESS/LENGTH or MAC; needs --vrf')
    .option('--vrf <vrf>', 'with --get: the VRF', index);
  const fail = usage(spec, BAD_USAGE);
  parse(spec, argv, fail);
  const { dump, family, get, vrf, ...common } = spec.opts<
    CommonOptions & { dump?: number; family?: Family; get?: string; vrf?: number }
  >();
  if ((dump === undefined) === (get === undefined)) throw fail('give one of --dump and --get');
  if ((get === undefined) !== (vrf === undefined)) throw fail('--get and --vrf go together');
  if (dump !== undefined) return { ...common, op: 'dump', vrf: dump, family: family ?? 'inet' };
  return { ...common, vrf: vrf as number, ...parseRoute(get as string, family, fail) };
}

type Route =
  | { readonly op: 'get'; readonly family: InetFamily; readonly address: string; readonly length: number }
  | { readonly op: 'getMac'; readonly mac: string };

/** Reads ADDRESS/LENGTH or a MAC. `family`, when given, has to agree. */
function parseRoute(text: string, family: Family | undefined, fail: (message: string) => Exit): Route {
  const mac = /^([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}$/i.test(text);
  const slash = text.indexOf('/');
  const address = text.slice(0, slash);
  const version = slash < 0 ? 0 : isIP(address);
  const actual = mac ? 'bridge' : version === 4 ? 'inet' : version === 6 ? 'inet6' : undefined;
  if (actual === undefined) throw fail(`'${text}' is neither ADDRESS/LENGTH nor a MAC`);
  if (family !== undefined && family !== actual) {
    throw fail(`'${text}' is of family ${actual}, not ${family}`);
  }
  if (actual === 'bridge') return { op: 'getMac', mac: longMac(text) };
  const length = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length) || Number(length) > (version === 4 ? 32 : 128)) {
    throw fail(`'${length}' is no prefix length of family ${actual}`);
  }
  return { op: 'get', family: actual, address: network(address, Number(length)), length: Number(length) };
}

const longMac = (text: string): string =>
  text
    .toLowerCase()
    .split(':')
    .map((group) => group.padStart(2, '0'))
    .join(':');

/** The address with the bits behind `length` zero, in canonical text. */
function network(address: string, length: number): string {
  return isIP(address) === 4
    ? ipaddr.IPv4.networkAddressFromCIDR(`${address}/${length}`).toString()
    : ipaddr.IPv6.networkAddressFromCIDR(`${address}/${length}`).toRFC5952String();
}

const INET_LEGEND = 'Flags: L=Label Valid, P=Proxy ARP, T=Trap ARP, F=Flood ARP\n';
const INET_COLUMNS = 'Destination           PPL        Flags        Label         Nexthop    Stitched MAC(Index)\n';
const BRIDGE_LEGEND =
  'Flags: L=Label Valid, Df=DHCP flood, Mm=Mac Moved, L2c=L2 Evpn Control Word, N=New Entry, Ec=EvpnControlProcessing\n';
const BRIDGE_COLUMNS = 'Index       DestMac                  Flags           Label/VNID      Nexthop           Stats\n';

/** Digit of the family in `inet4`, `inet6`. */
const digit = (family: InetFamily): string => (family === 'inet' ? '4' : '6');

/** Joins cells with this many spaces between them. */
const spaced = (spaces: number, ...cells: readonly string[]): string => cells.join(' '.repeat(spaces));

const right = (value: number | string | null, width: number): string => String(value ?? '-').padStart(width);

function formatInetRow(route: InetRouteDump): string {
  const destination = `${route.prefix}/${String(route.length).padEnd(2)}`.padEnd(21) + right(route.ppl, 4);
  const label = spaced(6, right(route.flags.join(''), 5), right(route.label, 5));
  const stitched = route.stitchedMac === null ? '-' : `${shortMac(route.stitchedMac)}(${route.stitchedIndex ?? -1})`;
  return `${spaced(8, destination, label, right(route.nexthop, 7), stitched)}\n`;
}

function formatBridgeRow(route: BridgeRouteDump): string {
  const key = String(route.index).padEnd(12) + shortMac(route.mac).padEnd(20);
  const label = spaced(11, ` ${right(route.flags.join(''), 9)}`, ` ${right(route.label, 9)}`);
  return `${key}${spaced(6, label, right(route.nexthop, 7))}    ${right(route.packets, 12)}\n`;
}

/** The inet or inet6 table of a VRF: legend, title, one row per route. */
export const formatInet = (vrf: number, family: InetFamily, routes: readonly InetRouteDump[]): string =>
  `${INET_LEGEND}vRouter inet${digit(family)} routing table 0/${vrf}/unicast\n${INET_COLUMNS}` +
  routes.map(formatInetRow).join('');

/** The bridge table of a VRF: legend, title, one row per MAC in the order of their index. */
export const formatBridge = (vrf: number, routes: readonly BridgeRouteDump[]): string =>
  `${BRIDGE_LEGEND}vRouter bridge table 0/${vrf}\n${BRIDGE_COLUMNS}${routes.map(formatBridgeRow).join('')}`;

async function run(argv: readonly string[], { connect }: Surroundings): Promise<string> {
  const request = parseArgs(argv);
  const daemon = connect(request.socket);
  const { vrf } = request;
  if (request.op === 'get') {
    const { family, address, length } = request;
    const route = await daemon.inetRoute(vrf, family, address, length);
    const match = `Match ${address}/${length} in vRouter inet${digit(family)} table 0/${vrf}/unicast\n\n`;
    return request.json ? json(route) : match + formatInet(vrf, family, [route]);
  }
  if (request.op === 'getMac') {
    const route = await daemon.bridgeRoute(vrf, request.mac);
    const match = `Match ${shortMac(request.mac)} in vRouter bridge table 0/${vrf}/unicast\n\n`;
    return request.json ? json(route) : match + formatBridge(vrf, [route]);
  }
  if (request.family === 'bridge') {
    const routes = [...(await daemon.bridgeRoutes(vrf))].sort((a, b) => a.index - b.index);
    return request.json ? json(routes) : formatBridge(vrf, routes);
  }
  const routes = await daemon.inetRoutes(vrf, request.family);
  return request.json ? json(routes) : formatInet(vrf, request.family, routes);
}

export const rt: Tool = { name: 'rt', run };
