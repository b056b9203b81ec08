import test from 'ava';
import { flowReport } from './flow-report.js';

test('rows show medians, and ratios to the first row of the same round', (t) => {
  const group = {
    id: 'g',
    title: 'Group',
    columns: [{ key: 'cpu', title: 'CPU', digits: 0, unit: 10 }],
    ratio: { key: 'cpu', title: 'ratio' },
    remark: 'A remark.',
  };
  const sample = (row: string, round: number, cpu?: number) => ({
    group: 'g',
    row,
    round,
    values: { cpu },
    disturbed: false,
  });
  const samples = [
    sample('one', 1, 100),
    sample('two', 1, 200),
    sample('one', 2, 300),
    sample('two', 2, 900),
    sample('none', 1),
  ];
  t.is(
    flowReport([group], samples),
    `### Group

|      | CPU | ratio |
| ---- | --: | ----: |
| one  |  20 |  1.00 |
| two  |  55 |  2.50 |
| none |   - |     - |

A remark.`,
  );
});
