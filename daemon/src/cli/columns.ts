/** Text in columns, and the spellings several tools share. */

/** MAC address as libc's ether_ntoa writes it: no leading zeros (`2:aa:f0:88:f0:65`). */
export const shortMac = (mac: string): string =>
  mac
    .split(':')
    .map((group) => group.replace(/^0(?=.)/, ''))
    .join(':');

/** Rows as left-justified columns two spaces apart; no line ends in spaces. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => (widths[i] = Math.max(i < widths.length ? widths[i] : 0, cell.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** A record as `--json` prints it. */
export const json = (record: unknown): string => `${JSON.stringify(record, null, 2)}\n`;
