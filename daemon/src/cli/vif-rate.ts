/** `vif --rate`: packets and errors per second, once a second. */
import type { TrafficCounters, VifDump } from '../control/dumps.js';
import type { Screen } from './tool.js';

const PERIOD_MS = 1000;
/** Lines around the interfaces, lines of one interface, interfaces on a page at most. */
const FRAME_LINES = 9;
const VIF_LINES = 3;
const PAGE_MAX = 32;

interface Rate {
  readonly packets: number;
  readonly errors: number;
}

export interface VifRates {
  readonly id: number;
  readonly type: string;
  readonly name: string;
  readonly rx: Rate;
  readonly tx: Rate;
}

/** Whole events per second; a counter that went back (the interface is a new one) counts nothing. */
const perSecond = (before: number, after: number, elapsedMs: number): number =>
  elapsedMs > 0 ? Math.floor((Math.max(0, after - before) * 1000) / elapsedMs) : 0;

const rate = (before: TrafficCounters, after: TrafficCounters, elapsedMs: number): Rate => ({
  packets: perSecond(before.packets, after.packets, elapsedMs),
  errors: perSecond(before.errors, after.errors, elapsedMs),
});

/** What moved between two samples `elapsedMs` apart. An interface that was not there before shows zeros. */
export function rates(before: readonly VifDump[], after: readonly VifDump[], elapsedMs: number): VifRates[] {
  const earlier = new Map(before.map((vif) => [vif.id, vif]));
  return after.map((vif) => {
    const { rx, tx } = earlier.get(vif.id) ?? vif;
    const { id, type, name } = vif;
    return { id, type, name, rx: rate(rx, vif.rx, elapsedMs), tx: rate(tx, vif.tx, elapsedMs) };
  });
}

const formatRate = ({ errors, packets }: Rate): string => `${String(errors).padEnd(7)}  ${String(packets).padEnd(7)}`;

const HEADER =
  'Interface rate statistics\n-------------------------\n\n' +
  `${['Interface name', 'VIF ID', 'RX', 'TX'].map((title) => title.padEnd(30)).join('')}\n` +
  `${' '.repeat(54)}${'Errors   Packets'.padEnd(30)}Errors   Packets\n\n`;

/** One screen: the interfaces of a page, the keys, the time. */
export function formatScreen(page: readonly VifRates[], now: Date): string {
  const lines = page.map(
    (vif) =>
      `${`${vif.type}: ${vif.name}`.padEnd(30)}${`vif0/${vif.id}`.padEnd(24)}` +
      `${formatRate(vif.rx).padEnd(30)}${formatRate(vif.tx).padEnd(25)}\n\n\n`,
  );
  const keys = "Key 'q' for quit, key 'k' for previous page, key 'j' for next page.\n";
  return `${HEADER}${lines.join('')}${keys}${timestamp(now)} \n`;
}

/** Local time as `YYYY-mm-dd HH:MM:SS +zzzz`. */
export function timestamp(now: Date): string {
  const offset = -now.getTimezoneOffset();
  const two = (n: number): string => String(n).padStart(2, '0');
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const date = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `${date} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())} ${zone}`;
}

/** Shows samples until `q`. */
export async function watchRates(sample: () => Promise<readonly VifDump[]>, screen: Screen): Promise<void> {
  let before = await sample();
  let beforeAt = screen.now().getTime();
  let current = rates(before, before, 0);
  let first = 0;
  for (;;) {
    const pageSize = Math.min(PAGE_MAX, Math.floor((screen.rows() - FRAME_LINES) / VIF_LINES));
    first = Math.max(0, Math.min(first, current.length - 1));
    screen.show(
      pageSize > 0
        ? formatScreen(current.slice(first, first + pageSize), screen.now())
        : 'Size of terminal is too small.\n',
    );
    const key = await screen.key(PERIOD_MS);
    if (key === 'q') return;
    if (key === 'k') first -= pageSize;
    else if (key === 'j' && first + pageSize < current.length) first += pageSize;
    else if (key === undefined) {
      const after = await sample();
      const afterAt = screen.now().getTime();
      current = rates(before, after, afterAt - beforeAt);
      before = after;
      beforeAt = afterAt;
    }
  }
}
