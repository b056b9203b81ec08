/** The live views of `flow`: -r, -s, --watch. */
import type { FlowCountsDump, FlowDump, FlowTableDump } from '../control/flow-dumps.js';
import { protocolTitle } from '../control/flow-match.js';
import { table } from './columns.js';
import { formatAction, formatNames } from './flow-format.js';
import type { Screen } from './tool.js';
import { timestamp } from './vif-rate.js';

/** How often -r and -s look, and --watch, ms. */
const STATISTICS_PERIOD_MS = 500;
const WATCH_PERIOD_MS = 1000;
/** Lines of the watch screen that are no flows. */
const WATCH_FRAME_LINES = 4;

/** What the table looked like at a time (ms). */
export interface FlowSample {
  readonly at: number;
  readonly table: FlowTableDump;
  readonly counts: FlowCountsDump;
}

const perSecond = (change: number, elapsedMs: number): number =>
  elapsedMs > 0 ? Math.round((change * 1000) / elapsedMs) : 0;
const right = (value: number, width: number): string => String(value).padStart(width);
const total = ({ drop, hold, forward, nat }: FlowCountsDump): number => drop + hold + forward + nat;

/** The line of -r; empty when nothing moved between the samples. */
export function formatRateLine(before: FlowSample, after: FlowSample): string {
  const forward = after.table.created - before.table.created;
  const reverse = after.table.added - before.table.added;
  const deleted = after.table.deleted - before.table.deleted;
  if (forward === 0 && reverse === 0 && deleted === 0) return '';
  const date = new Date(after.at);
  const time = `${timestamp(date).slice(0, 19)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
  const rate = perSecond(forward + reverse + deleted, after.at - before.at);
  return (
    `${time}:  Entries = ${right(after.table.active, 8)} Rate = ${right(rate, 6)} ` +
    `(Fwd = ${right(forward, 8)} Rev = ${right(reverse, 8)} Del = ${right(deleted, 8)}) ` +
    `Hold = ${right(after.counts.hold, 8)} Free Burst Tokens = ${right(0, 8)} Total Hold Entries ${right(0, 8)}\n`
  );
}

/** The screen of -s; the averages are over the time since `first`. */
export function formatStatistics(first: FlowSample, before: FlowSample, after: FlowSample): string {
  const { drop, hold, forward, nat } = after.counts;
  const all = total(after.counts);
  const newAll = all - total(before.counts);
  const newHold = hold - before.counts.hold;
  const elapsed = after.at - before.at;
  const watched = after.at - first.at;
  return `${timestamp(new Date(after.at))}
Flow Statistics
---------------
    Total  Entries  --- Total = ${right(all, 7)}, new = ${right(newAll, 7)} 
    Active Entries  --- Total = ${right(all - hold, 7)}, new = ${right(newAll - newHold, 7)} 
    Hold   Entries  --- Total = ${right(hold, 7)}, new = ${right(newHold, 7)} 
    Fwd flow Entries  - Total = ${right(forward, 7)}
    drop flow Entries - Total = ${right(drop, 7)}
    NAT flow Entries  - Total = ${right(nat, 7)}

    Rate of change of Active Entries
    --------------------------------
        current rate      = ${right(perSecond(newAll - newHold, elapsed), 8)}
        Avg setup rate    = ${right(perSecond(after.table.added - first.table.added, watched), 8)}
        Avg teardown rate = ${right(perSecond(after.table.deleted - first.table.deleted, watched), 8)}
    Rate of change of Flow Entries
    ------------------------------
        current rate      = ${right(perSecond(newAll, elapsed), 8)}
`;
}

/** Tells of the table until `q`: hands `onSample` the first sample, the one before, and the newest. */
export async function watchTable(
  sample: () => Promise<FlowSample>,
  screen: Screen,
  onSample: (first: FlowSample, before: FlowSample, after: FlowSample) => void | Promise<void>,
): Promise<void> {
  const first = await sample();
  let before = first;
  await onSample(first, first, first);
  for (;;) {
    const key = await screen.key(STATISTICS_PERIOD_MS);
    if (key === 'q') return;
    if (key !== undefined) continue;
    const after = await sample();
    await onSample(first, before, after);
    before = after;
  }
}

/** A flow, and what it had between two looks; null: it was not there at the first. */
export interface FlowRate {
  readonly flow: FlowDump;
  readonly packetsPerSecond: number | null;
  readonly bytesPerSecond: number | null;
}

/** What moved between two looks `elapsedMs` apart. A flow that was made in between had all it has in that time. */
export function flowRates(before: readonly FlowDump[], after: readonly FlowDump[], elapsedMs: number): FlowRate[] {
  const nameOf = ({ index, generation }: FlowDump): string => `${index}.${generation}`;
  const earlier = new Map(before.map((flow) => [nameOf(flow), flow]));
  return after.map((flow) => {
    const was = earlier.get(nameOf(flow)) ?? (flow.ageMs < elapsedMs ? { packets: 0, bytes: 0 } : undefined);
    if (was === undefined) return { flow, packetsPerSecond: null, bytesPerSecond: null };
    return {
      flow,
      packetsPerSecond: perSecond(Math.max(0, flow.packets - was.packets), elapsedMs),
      bytesPerSecond: perSecond(Math.max(0, flow.bytes - was.bytes), elapsedMs),
    };
  });
}

export interface WatchOptions {
  /** What the flows are restricted to; empty: nothing. */
  readonly conditions: string;
  /** Whether the daemon sorted them; otherwise they are sorted by what moves. */
  readonly sorted: boolean;
  /** How many at most. */
  readonly top: number;
}

/** One screen of --watch: the flows that fit, and how many there are. */
export function formatWatch(
  rates: readonly FlowRate[],
  { active }: FlowTableDump,
  { conditions, sorted, top }: WatchOptions,
  rows: number,
): string {
  const order = sorted ? rates : [...rates].sort((a, b) => (b.bytesPerSecond ?? -1) - (a.bytesPerSecond ?? -1));
  const shown = order.slice(0, Math.max(1, Math.min(top, rows - WATCH_FRAME_LINES)));
  const matching = conditions === '' ? '' : `, matching (${conditions})`;
  return `${active} entries in the table${matching}; q quits\n\n${table([WATCH_TITLES, ...shown.map(watchRow)])}`;
}

const WATCH_TITLES = ['INDEX', 'PROTO', 'SOURCE', 'DESTINATION', 'VRF', 'ACTION', 'PACKETS/S', 'BYTES/S', 'PACKETS', 'BYTES', 'AGE', 'NAMES']; // prettier-ignore

function watchRow({ flow, packetsPerSecond, bytesPerSecond }: FlowRate): string[] {
  const side = (address: string, port: number): string =>
    flow.family === 'inet' ? `${address}:${port}` : `[${address}]:${port}`;
  return [
    String(flow.index),
    protocolTitle(flow.protocol),
    side(flow.source, flow.sourcePort),
    side(flow.destination, flow.destinationPort),
    String(flow.vrf),
    formatAction(flow),
    String(packetsPerSecond ?? '-'),
    String(bytesPerSecond ?? '-'),
    String(flow.packets),
    String(flow.bytes),
    `${Math.floor(flow.ageMs / 1000)}s`,
    flow.names ? formatNames(flow, flow.names) : '',
  ];
}

/** Shows flows, once a second, until `q`. */
export async function watchFlows(
  sample: () => Promise<{ readonly flows: readonly FlowDump[]; readonly table: FlowTableDump }>,
  screen: Screen,
  options: WatchOptions,
): Promise<void> {
  let before = await sample();
  let beforeAt = screen.now().getTime();
  let rates = flowRates([], before.flows, 0);
  for (;;) {
    screen.show(formatWatch(rates, before.table, options, screen.rows()));
    const key = await screen.key(WATCH_PERIOD_MS);
    if (key === 'q') return;
    if (key !== undefined) continue;
    const after = await sample();
    const afterAt = screen.now().getTime();
    rates = flowRates(before.flows, after.flows, afterAt - beforeAt);
    before = after;
    beforeAt = afterAt;
  }
}
