import type { Document } from './topology.js';

/** Subscribers, and the server they log in to. */
export const ONE = '10.10.0.1';
export const TWO = '10.10.0.2';
export const SERVER = '8.8.8.8';
export const ANY = '0.0.0.0';

const INDICES = '#'.repeat(22);

/** A listing without what is another in each run; blanks at the ends of lines, blank lines and `<=>` do not matter. */
export function normalised(text: string): string[] {
  const lines = text
    .replaceAll('<=>', '')
    .replaceAll(/ +$/gm, '')
    .replaceAll(/\n+/g, '\n')
    .replaceAll(/Gen: \d+/g, 'Gen: #')
    .replaceAll(/Stats:\d+\/\d+/g, 'Stats:#')
    .replaceAll(/SPort \d{5},/g, 'SPort #,')
    .replaceAll(/^[ \d]{22}(?=\S+:\d+ {2,}\S)/gm, INDICES)
    .split('\n');
  const first = lines.findIndex((line) => line.startsWith('Listing flows'));
  const title = lines.findIndex((line) => line.startsWith('-----'));
  const entries: string[] = [];
  for (let at = title + 1; at < lines.length - 1; at += 4) entries.push(lines.slice(at, at + 4).join('\n'));
  return [...lines.slice(first, title + 1), ...entries.sort()];
}

/** An address and port on each side, the client's first. A port of 0 is one that does not matter. */
export type Pair = readonly [client: string, server: string, letters: string];

/** What entries of packets from one side say: K(nh), S(nh), Sinfo. */
export interface Side {
  readonly key: number;
  readonly source: number;
  readonly info: string;
}

/** Where flows are listed. */
export interface Place {
  readonly vrf: number;
  readonly client: Side;
  readonly server: Side;
}

/** Sinfo of packets an interface sends: its number, lowest byte first. */
export const vifInfo = (vif: number): string => `${vif & 255}.${(vif >> 8) & 255}.0.0`;

/** What a listing of pairs of TCP looks like, normalised. */
export function expectedListing({ vrf, client, server }: Place, match: string, pairs: readonly Pair[]): string[] {
  const entry = (source: string, destination: string, letters: string, side: Side): string =>
    [
      `${INDICES}${source.padEnd(46)}      6 (${vrf})`,
      `${' '.repeat(25)}${destination}`,
      `(Gen: #, K(nh):${side.key}, Action:F, Flags:, TCP:${letters}, QOS:-1, S(nh):${side.source},  Stats:#,`,
      ` SPort #, TTL 0, Sinfo ${side.info})`,
    ].join('\n');
  const entries = pairs.flatMap(([a, b, letters]) => [entry(a, b, letters, client), entry(b, a, letters, server)]);
  return [
    `Listing flows matching ([${match}]:*, VRF ${vrf})`,
    '    Index                Source:Port/Destination:Port                      Proto(V)',
    '-'.repeat(83),
    ...entries.sort(),
  ];
}

/** A rule for fat flows, and what it makes of sessions of ONE with ssh and telnet of SERVER. */
export interface Row {
  readonly rule: string;
  readonly fatFlows: readonly Document[];
  /** What `vif` says. */
  readonly vif: string;
  /** What to list, and the pair ssh has; null: it has its own. */
  readonly match: string;
  readonly ssh: readonly [string, string] | null;
  /** Whether telnet is in the same pair; otherwise it has its own. */
  readonly together: boolean;
}

export const tcp = (on: number, ignoreAddress: string): Document[] => [{ protocol: 'tcp', port: on, ignoreAddress }];
// prettier-ignore
export const ROWS: readonly Row[] = [
  { rule: 'none', fatFlows: [], vif: '', match: ONE, ssh: null, together: false },
  { rule: 'tcp 0 none', fatFlows: tcp(0, 'none'), vif: '6:*', match: ONE, ssh: [`${ONE}:0`, `${SERVER}:0`], together: true },
  { rule: 'tcp 22 none', fatFlows: tcp(22, 'none'), vif: '6:22 ', match: ONE, ssh: [`${ONE}:0`, `${SERVER}:22`], together: false },
  { rule: 'tcp 0 source', fatFlows: tcp(0, 'source'), vif: '6:* - Sip', match: SERVER, ssh: [`${ANY}:0`, `${SERVER}:0`], together: true },
  { rule: 'tcp 22 source', fatFlows: tcp(22, 'source'), vif: '6:22  - Sip', match: SERVER, ssh: [`${ANY}:0`, `${SERVER}:22`], together: false },
  { rule: 'tcp 0 destination', fatFlows: tcp(0, 'destination'), vif: '6:* - Dip', match: ONE, ssh: [`${ONE}:0`, `${ANY}:0`], together: true },
  { rule: 'tcp 22 destination', fatFlows: tcp(22, 'destination'), vif: '6:22  - Dip', match: ONE, ssh: [`${ONE}:0`, `${ANY}:22`], together: false },
];
