/** `dropstats`: why packets left the datapath unsent. */
import type { DropstatsDump } from '../control/dumps.js';
import { json } from './columns.js';
import { command, parse, usage } from './tool.js';
import type { CommonOptions, Surroundings, Tool } from './tool.js';

/** Status after bad options: -EINVAL, as a shell sees it. */
const BAD_USAGE = 234;

export interface DropstatsRequest extends CommonOptions {
  readonly nonZero?: true;
}

/** Throws Exit for bad options and for `--help`. */
export function parseArgs(argv: readonly string[]): DropstatsRequest {
  const spec = command('dropstats', 'shows the drop counters of the vrouter').option(
    '--non-zero',
    'only counters that are not zero, without groups',
  );
  parse(spec, argv, usage(spec, BAD_USAGE));
  return spec.opts<DropstatsRequest>();
}

/** The counters operators know, in the groups they are used to. */
const GROUPS = [
  ['Invalid IF', 'Trap No IF', 'IF TX Discard', 'IF Drop', 'IF RX Discard'],
  [
    'Flow Unusable',
    'Flow No Memory',
    'Flow Table Full',
    'Flow NAT no rflow',
    'Flow Action Drop',
    'Flow Action Invalid',
    'Flow Invalid Protocol',
    'Flow Queue Limit Exceeded',
    'New Flow Drops',
    'Flow Unusable (Eviction)',
  ],
  ['Original Packet Trapped'],
  ['Discards', 'TTL Exceeded', 'Mcast Clone Fail', 'Cloned Original'],
  [
    'Invalid NH',
    'Invalid Label',
    'Invalid Protocol',
    'Etree Leaf to Leaf',
    'Bmac/ISID Mismatch',
    'Rewrite Fail',
    'Invalid Mcast Source',
    'Packet Loop',
  ],
  ['Push Fails', 'Pull Fails', 'Duplicated', 'Head Alloc Fails', 'PCOW fails', 'Invalid Packets'],
  [
    'Misc',
    'Nowhere to go',
    'Checksum errors',
    'No Fmd',
    'Invalid VNID',
    'Fragment errors',
    'Invalid Source',
    'Jumbo Mcast Pkt with DF Bit',
    'No L2 Route',
    'Memory Failures',
    'Fragment Queueing Failures',
    'No Encrypt Path Failures',
  ],
] as const;
const GROUPED = new Set<string>(GROUPS.flat());

const formatCounter = (name: string, value: number): string => `${name.padEnd(30)}${value}\n`;

/** Every counter in groups. Counters that came after this layout form a last group, where they are not zero: none is hidden. */
export function formatDrops(drops: DropstatsDump): string {
  const groups = GROUPS.map((names) => names.map((name) => formatCounter(name, drops[name])).join(''));
  const later = nonZero(drops).filter(([name]) => !GROUPED.has(name));
  if (later.length > 0) groups.push(later.map(([name, value]) => formatCounter(name, value)).join(''));
  return groups.map((group) => `${group}\n`).join('');
}

/** Only the counters that are not zero, in counter order. This layout says `Duplicate` where the other says `Duplicated`. */
export const formatNonZero = (drops: DropstatsDump): string =>
  nonZero(drops)
    .map(([name, value]) => formatCounter(name === 'Duplicated' ? 'Duplicate' : name, value))
    .join('');

const nonZero = (drops: DropstatsDump): [string, number][] => Object.entries(drops).filter(([, value]) => value !== 0);

async function run(argv: readonly string[], { connect }: Surroundings): Promise<string> {
  const request = parseArgs(argv);
  const drops = await connect(request.socket).dropstats();
  if (request.json) return json(request.nonZero ? Object.fromEntries(nonZero(drops)) : drops);
  return request.nonZero ? formatNonZero(drops) : formatDrops(drops);
}

export const dropstats: Tool = { name: 'dropstats', run };
