import { Counter, Gauge, type Registry } from 'prom-client';
import type { MirrorCounters } from '../control/mirror-dumps.js';
import type { DaemonView } from './view.js';

const MIRROR_LABELS = ['mirror', 'name'] as const;
const DIRECTIONS = ['ingress', 'egress'] as const;
/** What kept frames from being copied. */
const LOSSES = ['discards', 'limited', 'sampledOut', 'failed', 'looped'] as const satisfies (keyof MirrorCounters)[];

/** What is measured of each mirror. */
export class MirrorMetrics {
  readonly #view: DaemonView;
  readonly #packets: Counter<'mirror' | 'name' | 'direction'>;
  readonly #bytes: Counter<'mirror' | 'name' | 'direction'>;
  readonly #lost: Counter<'mirror' | 'name' | 'reason'>;
  readonly #resolved: Gauge<'mirror' | 'name'>;

  constructor(view: DaemonView, registry: Registry) {
    const registers = [registry];
    const name = 'vrouter_mirror';
    const byDirection = [...MIRROR_LABELS, 'direction'] as const;
    const byReason = [...MIRROR_LABELS, 'reason'] as const;
    this.#view = view;
    this.#packets = new Counter({
      ...{ name: `${name}_packets_total`, help: 'Frames copied, from guests and to them' },
      ...{ labelNames: byDirection, registers },
    });
    this.#bytes = new Counter({
      ...{ name: `${name}_bytes_total`, help: 'Their bytes, as far as they were copied' },
      ...{ labelNames: byDirection, registers },
    });
    this.#lost = new Counter({
      ...{ name: `${name}_not_copied_total`, help: 'Frames not copied, by reason' },
      ...{ labelNames: byReason, registers },
    });
    this.#resolved = new Gauge({
      ...{ name: `${name}_resolved`, help: 'Whether the way to the analyzer is known' },
      ...{ labelNames: MIRROR_LABELS, registers },
    });
  }

  /** Sets all values to what they are. */
  collect(): void {
    for (const metric of [this.#packets, this.#bytes, this.#lost, this.#resolved]) metric.reset();
    for (const { index, name, state, counters } of this.#view.mirrors()) {
      const labels = { mirror: index, name };
      for (const direction of DIRECTIONS) {
        this.#packets.inc({ ...labels, direction }, counters[direction].packets);
        this.#bytes.inc({ ...labels, direction }, counters[direction].bytes);
      }
      for (const reason of LOSSES) this.#lost.inc({ ...labels, reason }, counters[reason]);
      this.#resolved.set(labels, Number(state === 'resolved'));
    }
  }
}
