/** How long before and after its announcement an interruption may be felt, ms. */
const BEFORE_MS = 1_000;
const AFTER_MS = 3_000;

interface Span {
  readonly from: number;
  to: number;
}

/** The times in which traffic may be lost, because the daemon or its worker is ended on purpose. All times are ms since the epoch. */
export class Interruptions {
  readonly #spans: Span[] = [];

  /** Announces an interruption; what is returned ends it. */
  begin(): () => void {
    const span = { from: Date.now(), to: Infinity };
    this.#spans.push(span);
    return () => {
      span.to = Date.now();
    };
  }

  covers(time: number): boolean {
    return this.#spans.some(({ from, to }) => time > from - BEFORE_MS && time < to + AFTER_MS);
  }

  /** Milliseconds of the time since `from` that were no interruption. */
  calmSince(from: number): number {
    const end = this.#spans.reduce((latest, span) => Math.max(latest, span.to + AFTER_MS), from);
    return Math.max(0, Date.now() - end);
  }
}
