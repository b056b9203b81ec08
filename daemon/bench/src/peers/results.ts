import type { Metric, Values } from './measures.js';

/** What one round found out about one contender. */
export interface Sample {
  readonly contender: string;
  readonly round: number;
  readonly values: Values;
  /** Measurements during which others used the machine, however often they were repeated. */
  readonly disturbed: readonly string[];
}

/** Half of the values are below it. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median over the rounds; undefined where the contender has no such value. */
export function typical(samples: readonly Sample[], contender: string, metric: Metric): number | undefined {
  const values = samples
    .filter((sample) => sample.contender === contender)
    .flatMap(({ values }) => values[metric] ?? []);
  return values.length === 0 ? undefined : median(values);
}

/** Median of the ratios of each round: what drifts from one round to the next is in both. */
export function ratio(
  samples: readonly Sample[],
  contender: string,
  against: string,
  metric: Metric,
): number | undefined {
  const ratios = samples
    .filter((sample) => sample.contender === contender)
    .flatMap(({ round, values }) => {
      const other = samples.find((sample) => sample.contender === against && sample.round === round);
      const [own, base] = [values[metric], other?.values[metric]];
      return own === undefined || base === undefined ? [] : own / base;
    });
  return ratios.length === 0 ? undefined : median(ratios);
}

/** A ratio to reach: `contender` to `against`. */
interface Target {
  readonly contender: string;
  readonly against: string;
  readonly metric: 'packets60' | 'tcp';
  readonly least: number;
}

/** Within 5 % below a target counts as reached. */
const SLACK = 0.95;

const TARGETS: readonly Target[] = [
  { contender: 'vrouterd-tap', against: 'ovs-tap', metric: 'packets60', least: 1.5 },
  { contender: 'vrouterd-tap', against: 'ovs-tap', metric: 'tcp', least: 7 },
  { contender: 'vrouterd-veth', against: 'ovs-veth', metric: 'packets60', least: 1.5 },
  { contender: 'vrouterd-veth', against: 'ovs-veth', metric: 'tcp', least: 10 },
  { contender: 'vrouterd-tap', against: 'loop-vnet', metric: 'packets60', least: 0.9 },
  { contender: 'vrouterd-tap', against: 'loop-vnet', metric: 'tcp', least: 0.9 },
  { contender: 'vrouterd-tap', against: 'veth', metric: 'tcp', least: 0.65 },
  { contender: 'vrouterd-veth', against: 'veth', metric: 'tcp', least: 0.65 },
  { contender: 'vrouterd-tap', against: 'bridge-veth', metric: 'packets60', least: 1.5 },
  { contender: 'vrouterd-tap', against: 'bridge-veth', metric: 'tcp', least: 0.8 },
];

export interface Outcome extends Target {
  readonly ratio: number;
  readonly reached: boolean;
}

/** The targets both of whose sides were measured. */
export function outcomes(samples: readonly Sample[]): readonly Outcome[] {
  return TARGETS.flatMap((target) => {
    const reachedRatio = ratio(samples, target.contender, target.against, target.metric);
    if (reachedRatio === undefined) return [];
    return { ...target, ratio: reachedRatio, reached: reachedRatio >= target.least * SLACK };
  });
}
