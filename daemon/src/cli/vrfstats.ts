/** `vrfstats`: packets handled in each VRF, by what was done with them. */
import type { VrfstatsDump } from '../control/dumps.js';
import { json } from './columns.js';
import { command, index, parse, usage } from './tool.js';
import type { CommonOptions, Surroundings, Tool } from './tool.js';

/** Status after bad options: -EINVAL, as a shell sees it. */
const BAD_USAGE = 234;

export type VrfstatsRequest = CommonOptions & ({ readonly op: 'dump' } | { readonly op: 'get'; readonly vrf: number });

/** Throws Exit for bad options and for `--help`. */
export function parseArgs(argv: readonly string[]): VrfstatsRequest {
  const spec = command('vrfstats', 'shows what the vrouter did with the packets of a VRF')
    .option('--dump', 'all VRFs')
    .option('--get <vrf>', 'this VRF', index);
  const fail = usage(spec, BAD_USAGE);
  parse(spec, argv, fail);
  const { dump, get, ...common } = spec.opts<CommonOptions & { dump?: true; get?: number }>();
  if ((dump ?? false) === (get !== undefined)) throw fail('give one of --dump and --get');
  return get === undefined ? { ...common, op: 'dump' } : { ...common, op: 'get', vrf: get };
}

/** Counters on each line, in the order of the dump. */
const LINES = [6, 5, 5, 2, 2, 6];

function formatVrf({ vrf, counters }: VrfstatsDump): string {
  const cells = Object.entries(counters).map(([name, packets]) => `${name} ${packets}`);
  const lines = LINES.map((count) => cells.splice(0, count).join(', '));
  return `Vrf: ${vrf}\n${lines.join('\n')}\n\n`;
}

/** One block per VRF. */
export const format = (vrfs: readonly VrfstatsDump[]): string => vrfs.map(formatVrf).join('');

async function run(argv: readonly string[], { connect }: Surroundings): Promise<string> {
  const request = parseArgs(argv);
  const daemon = connect(request.socket);
  if (request.op === 'dump') {
    const vrfs = await daemon.vrfstats();
    return request.json ? json(vrfs) : format(vrfs);
  }
  const stats = await daemon.vrfstatsOf(request.vrf);
  return request.json ? json(stats) : format([stats]);
}

export const vrfstats: Tool = { name: 'vrfstats', run };
