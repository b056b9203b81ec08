import type { FlowGroup, FlowValues } from './flow-groups.js';
import { table } from './report.js';
import { median } from './results.js';

/** What one round found out about one row. */
export interface FlowSample {
  readonly group: string;
  readonly row: string;
  readonly round: number;
  readonly values: FlowValues;
  /** Whether others used the machine, however often it was repeated. */
  readonly disturbed: boolean;
}

/** The tables, as Markdown. */
export function flowReport(groups: readonly Omit<FlowGroup, 'rows'>[], samples: readonly FlowSample[]): string {
  return groups.flatMap((group) => [`### ${group.title}`, groupTable(group, samples), group.remark]).join('\n\n');
}

function groupTable({ id, columns, ratio }: Omit<FlowGroup, 'rows'>, all: readonly FlowSample[]): string {
  const samples = all.filter(({ group }) => group === id);
  const rows = [...new Set(samples.map(({ row }) => row))];
  const head = ['', ...columns.map(({ title }) => title), ...(ratio ? [ratio.title] : [])];
  const lines = rows.map((row) => {
    const own = samples.filter((sample) => sample.row === row);
    const cells = columns.map(({ key, digits, unit }) =>
      shown(
        own.flatMap(({ values }) => values[key] ?? []),
        digits,
        unit,
      ),
    );
    return [row, ...cells, ...(ratio ? [shown(ratios(own, samples, rows[0], ratio.key), 2, 1)] : [])];
  });
  return table([head, ...lines]);
}

/** Values of a row by those of the first, in the same round. */
function ratios(own: readonly FlowSample[], samples: readonly FlowSample[], first: string, key: string): number[] {
  return own.flatMap(({ round, values }) => {
    const base = samples.find((sample) => sample.row === first && sample.round === round)?.values[key];
    const value = values[key];
    return value === undefined || base === undefined ? [] : value / base;
  });
}

const shown = (values: readonly number[], digits: number, unit: number): string =>
  values.length === 0 ? '-' : (median(values) / unit).toFixed(digits);
