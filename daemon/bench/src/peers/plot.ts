/** Bar charts as SVG, readable on light and dark pages. */

export interface Chart {
  readonly title: string;
  /** What the bars of each group stand for. */
  readonly series: readonly string[];
  readonly groups: readonly { readonly label: string; readonly values: readonly (number | undefined)[] }[];
  /** How a value is written at the end of its bar. */
  readonly text: (value: number) => string;
}

const WIDTH = 860;
const LABELS = 230;
const NUMBERS = 90;
const TOP = 64;
const BAR = 14;
const GAP = 10;
const COLOURS = ['#2f7ebc', '#e08b3a', '#5a9e57', '#8c6bb1'];

/** Horizontal bars, a group for each label. */
export function barChart({ title, series, groups, text }: Chart): string {
  const rows = series.length;
  const groupHeight = rows * BAR + GAP;
  const height = TOP + groups.length * groupHeight + GAP;
  const most = Math.max(...groups.flatMap(({ values }) => values.map((value) => value ?? 0)), Number.MIN_VALUE);
  const scale = (WIDTH - LABELS - NUMBERS) / most;
  const bars = groups.flatMap(({ label, values }, g) => {
    const y = TOP + g * groupHeight;
    const middle = y + (rows * BAR) / 2 + 4;
    return [
      `<text x="${LABELS - 8}" y="${middle}" text-anchor="end">${escaped(label)}</text>`,
      ...values.flatMap((value, i) => (value === undefined ? [] : bar(y + i * BAR, value, i, { scale, text }))),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="12" y="24" font-size="16" font-weight="bold">${escaped(title)}</text>`,
    ...series.flatMap((name, i) => legend(name, i)),
    ...bars,
    '</svg>',
    '',
  ].join('\n');
}

function bar(y: number, value: number, i: number, { scale, text }: { scale: number } & Pick<Chart, 'text'>): string[] {
  const width = Math.max(1, value * scale);
  return [
    `<rect x="${LABELS}" y="${y + 1}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${COLOURS[i % COLOURS.length]}"/>`,
    `<text x="${(LABELS + width + 6).toFixed(1)}" y="${y + BAR - 3}" font-size="11">${escaped(text(value))}</text>`,
  ];
}

function legend(name: string, i: number): string[] {
  const x = 12 + i * 190;
  return [
    `<rect x="${x}" y="36" width="12" height="12" fill="${COLOURS[i % COLOURS.length]}"/>`,
    `<text x="${x + 18}" y="46">${escaped(name)}</text>`,
  ];
}

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
