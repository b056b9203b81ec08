/** What a soak found: violations with the time they were seen at, and what was measured. */

/**
 * A process needs so long until it has compiled and cached what it will; before that everything may rise by more: memory by some
 * tens of megabytes in its first minute.
 */
const WARM_SECONDS = 300;
const WARMING_UP = { bytes: 16, count: 4 } as const;
/** Parts of the time whose lowest values are compared. */
const PARTS = 12;

/** One thing measured over and over. */
export class Series {
  readonly times: number[] = [];
  readonly values: number[] = [];

  constructor(
    readonly name: string,
    /** Of the values: bytes are shown as megabytes. */
    readonly unit: 'bytes' | 'count',
    /** How much the second half may rise: a fixed part for noise, and a part for each minute. */
    readonly allowed: { readonly fixed: number; readonly perMinute: number },
  ) {}

  /** @param at seconds since the start */
  add(at: number, value: number): void {
    this.times.push(at);
    this.values.push(value);
  }

  /**
   * Rise over the second half of the samples, but not before `since`: the lowest values of parts of that time, and the line that
   * rises by the median of the slopes between any two of them (Theil and Sen). What is not given back raises the lowest values;
   * what comes and goes does not.
   *
   * @param since seconds from the start to that of the process
   */
  rise(since: number): { readonly rise: number; readonly limit: number } {
    const later = this.times.findIndex((time) => time >= since);
    const from = Math.max(Math.floor(this.times.length / 2), later);
    const times = this.times.slice(from);
    const values = this.values.slice(from);
    const first = times.at(0) ?? 0;
    const seconds = (times.at(-1) ?? 0) - first;
    const lowest: (Point | undefined)[] = [];
    for (const [i, value] of values.entries()) {
      const part = Math.min(Math.floor(((times[i] - first) / seconds) * PARTS), PARTS - 1) || 0;
      const known = lowest.at(part);
      if (known === undefined || value < known.value) lowest[part] = { time: times[i], value };
    }
    const fixed = this.allowed.fixed * (first - since < WARM_SECONDS ? WARMING_UP[this.unit] : 1);
    const limit = fixed + (this.allowed.perMinute * seconds) / 60;
    return { rise: medianSlope(lowest.filter((point) => point !== undefined)) * seconds, limit };
  }
}

interface Point {
  readonly time: number;
  readonly value: number;
}

function medianSlope(points: readonly Point[]): number {
  const slopes = points.flatMap((from, i) =>
    points
      .slice(i + 1)
      .filter(({ time }) => time > from.time)
      .map((to) => (to.value - from.value) / (to.time - from.time)),
  );
  slopes.sort((a, b) => a - b);
  return slopes.length === 0 ? 0 : (slopes[Math.floor((slopes.length - 1) / 2)] + slopes[slopes.length >> 1]) / 2;
}

export class Report {
  readonly violations: string[] = [];
  readonly #startedAt = Date.now();
  readonly #series = new Map<string, Series>();
  readonly #tell: (line: string) => void;
  /** Seconds from the start to the latest start of the daemon. */
  #freshSince = 0;

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  get seconds(): number {
    return (Date.now() - this.#startedAt) / 1000;
  }

  /** Says one line, with the time in front. */
  say(text: string): void {
    const seconds = Math.floor(this.seconds);
    const clock = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((n) =>
      String(Math.floor(n)).padStart(2, '0'),
    );
    this.#tell(`${clock.join(':')} ${text}`);
  }

  violation(text: string): void {
    this.violations.push(text);
    this.say(`VIOLATION: ${text}`);
  }

  /** The process that is measured is another one from now on. */
  begunAgain(): void {
    this.#freshSince = this.seconds;
  }

  add(series: Series, value: number): void {
    const known = this.#series.get(series.name) ?? series;
    this.#series.set(series.name, known);
    known.add(this.seconds, value);
  }

  /** Looks at what was measured. A violation for each series that rose; returns the table. */
  conclude(): string {
    const rows = [['measured', 'first', 'last', 'least', 'most', 'rise', 'allowed', '']];
    for (const series of this.#series.values()) {
      const { rise, limit } = series.rise(this.#freshSince);
      const flat = rise <= limit;
      const numbers = [
        series.values[0],
        series.values.at(-1) ?? 0,
        Math.min(...series.values),
        Math.max(...series.values),
      ];
      rows.push([series.name, ...[...numbers, rise, limit].map((n) => shown(n, series.unit)), flat ? 'flat' : 'RISES']);
      if (!flat) this.violation(`${series.name} rose by ${shown(rise, series.unit)} in the second half`);
    }
    return aligned(rows);
  }
}

function shown(value: number, unit: Series['unit']): string {
  return unit === 'bytes' ? `${(value / 2 ** 20).toFixed(2)} MB` : value.toFixed(Number.isInteger(value) ? 0 : 1);
}

/** Columns of equal width; the first to the left, the others to the right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}
