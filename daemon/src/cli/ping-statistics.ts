/** Round trips of a ping, as ping(8) sums them up. */
export interface PingStatistics {
  readonly sent: number;
  readonly received: number;
  /** Milliseconds from the first to the end. */
  readonly timeMs: number;
  /** Milliseconds; null: no answer took any. */
  readonly rtt: { readonly min: number; readonly avg: number; readonly max: number; readonly mdev: number } | null;
}

/** @param received answers, where not each of them took a way whose time is known. */
export function statistics(
  sent: number,
  trips: readonly number[],
  timeMs: number,
  received = trips.length,
): PingStatistics {
  if (trips.length === 0) return { sent, received, timeMs, rtt: null };
  const avg = trips.reduce((sum, ms) => sum + ms, 0) / trips.length;
  const variance = trips.reduce((sum, ms) => sum + (ms - avg) ** 2, 0) / trips.length;
  const rtt = { min: Math.min(...trips), avg, max: Math.max(...trips), mdev: Math.sqrt(variance) };
  return { sent, received, timeMs, rtt };
}

/** The last lines of ping(8). */
export function formatStatistics(target: string, { sent, received, timeMs, rtt }: PingStatistics): string {
  const loss = sent === 0 ? 0 : Math.round((100 * (sent - received)) / sent);
  const times = rtt && [rtt.min, rtt.avg, rtt.max, rtt.mdev].map((ms) => ms.toFixed(3)).join('/');
  return (
    `\n--- ${target} ping statistics ---\n` +
    `${sent} packets transmitted, ${received} received, ${loss}% packet loss, time ${Math.round(timeMs)}ms\n` +
    (times === null ? '' : `rtt min/avg/max/mdev = ${times} ms\n`)
  );
}
