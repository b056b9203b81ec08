/** What a soak found: violations with the time they were seen at, and what was measured. */

/** A process needs so long until it has compiled and cached what it will; in shorter soaks everything may rise by more. */
const WARM_MINUTES = 10;
const WARMING_UP = 4;

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

  /** Rise over the second half of the samples, but not before `since`, by the line of least squares through them. */
  rise(since: number): { readonly rise: number; readonly limit: number } {
    const later = this.times.findIndex((time) => time >= since);
    const from = Math.max(Math.floor(this.times.length / 2), later);
    const times = this.times.slice(from);
    const values = this.values.slice(from);
    const seconds = (times.at(-1) ?? 0) - (times.at(0) ?? 0);
    const fixed = this.allowed.fixed * (times[0] < WARM_MINUTES * 60 ? WARMING_UP : 1);
    return { rise: slope(times, values) * seconds, limit: fixed + (this.allowed.perMinute * seconds) / 60 };
  }
}

function slope(times: readonly number[], values: readonly number[]): number {
  const n = times.length;
  const meanTime = times.reduce((a, b) => a + b, 0) / n;
  const meanValue = values.reduce((a, b) => a + b, 0) / n;
  let above = 0;
  let below = 0;
  for (let i = 0; i < n; i++) {
    above += (times[i] - meanTime) * (values[i] - meanValue);
    below += (times[i] - meanTime) ** 2;
  }
  return below === 0 ? 0 : above / below;
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
