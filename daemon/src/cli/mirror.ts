/** `mirror`: whom frames are copied to. */
import type { MirrorCounters, MirrorDump, MirrorTraffic } from '../control/mirror-dumps.js';
import { json } from './columns.js';
import { Exit } from './exit.js';
import { command, index, parse, usage } from './tool.js';
import type { CommonOptions, Surroundings, Tool } from './tool.js';

const BAD_USAGE = 1;

type MirrorRequest = CommonOptions & { readonly names: boolean } & (
    { readonly op: 'dump' } | { readonly op: 'get'; readonly index: number }
  );

/** Throws Exit for bad options and for `--help`. */
function parseArgs(argv: readonly string[]): MirrorRequest {
  const spec = command('mirror', 'shows the mirrors: whom frames of interfaces and sessions are copied to')
    .option('--dump', 'the whole table')
    .option('--get <index>', 'the mirror with this index', index)
    .option('--names', 'below each: the analyzer, whether it is found, who mirrors to it, how much was copied');
  const fail = usage(spec, BAD_USAGE);
  parse(spec, argv, fail);
  const {
    dump,
    get,
    names = false,
    ...common
  } = spec.opts<CommonOptions & { dump?: true; get?: number; names?: true }>();
  if ((dump ?? false) === (get !== undefined)) throw fail('give one of --dump and --get');
  if (names && common.json) throw fail('--json has the names without --names');
  return get === undefined ? { ...common, names, op: 'dump' } : { ...common, names, op: 'get', index: get };
}

/** Title, legend, column heads and line, up to the first row. */
const HEADER =
  'Mirror Table\n\nFlags:D=Dynamic Mirroring, Hw=NIC Assisted Mirroring \n\n' +
  'Index    NextHop    Flags       VNI    Vlan\n------------------------------------------------\n';

function formatRow({ index, nexthop, isDynamic, isNicAssisted, vni, vlan }: MirrorDump): string {
  const flags = `${isDynamic ? 'D' : ''}${isNicAssisted ? 'Hw' : ''}`;
  const cells = [String(index).padStart(5), String(nexthop).padStart(7), flags.padStart(4)];
  if (vni !== null) cells.push(String(vni).padStart(7), String(vlan).padStart(4));
  return `${cells.join('    ')}\n`;
}

const INDENT = ' '.repeat(9);
const traffic = (title: string, { packets, bytes }: MirrorTraffic): string =>
  `${title} packets:${packets}  bytes:${bytes}`;

/** What kept packets from being copied, in the order in which it is printed. */
const COUNTERS = [
  ['Discards', 'discards'],
  ['Limited', 'limited'],
  ['Sampled out', 'sampledOut'],
  ['Failed', 'failed'],
  ['Looped', 'looped'],
  ['ICMP errors kept back', 'suppressed'],
] as const satisfies readonly (readonly [string, Exclude<keyof MirrorCounters, 'ingress' | 'egress'>])[];

/** What the columns have no room for. */
function formatNames(mirror: MirrorDump): string {
  const { name, state, reason, users, counters, rateLimit, sample, snapLength } = mirror;
  const limits = [
    ...(rateLimit > 0 ? [`at most ${rateLimit} a second`] : []),
    ...(sample > 1 ? [`one of ${sample}`] : []),
    ...(snapLength > 0 ? [`the first ${snapLength} bytes`] : []),
  ];
  const lines = [
    `Analyzer:${name} State:${state}${reason === null ? '' : ` (${reason})`}`,
    ...users.map((user) => `User:${user}`),
    ...(limits.length === 0 ? [] : [`Limits:${limits.join(', ')}`]),
    traffic('Ingress', counters.ingress),
    traffic('Egress', counters.egress),
    COUNTERS.map(([title, name]) => `${title}:${counters[name]}`).join(' '),
  ];
  return lines.map((line) => `${INDENT}${line}\n`).join('');
}

/** The header and one row per mirror. */
export const format = (mirrors: readonly MirrorDump[], names = false): string =>
  HEADER + mirrors.map((mirror) => formatRow(mirror) + (names ? formatNames(mirror) : '')).join('');

/** That of an index nobody uses prints the header and fails. */
async function run(argv: readonly string[], { connect }: Surroundings): Promise<string> {
  const request = parseArgs(argv);
  const daemon = connect(request.socket);
  if (request.op === 'dump') {
    const mirrors = await daemon.mirrors();
    return request.json ? json(mirrors) : format(mirrors, request.names);
  }
  try {
    const mirror = await daemon.mirror(request.index);
    return request.json ? json(mirror) : format([mirror], request.names);
  } catch (error) {
    if (!(error instanceof Exit) || error.status !== 1 || request.json) throw error;
    throw new Exit(error.status, error.message, HEADER);
  }
}

export const mirror: Tool = { name: 'mirror', run };
