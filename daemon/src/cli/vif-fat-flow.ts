/** The fat-flow section of an interface. */
import type { FatFlowDump, VifDump } from '../control/dumps.js';

const INDENT = ' '.repeat(12);
const TITLE = 'FatFlows (Protocol/Port): ';
/** Rules go on in a new line, this far in, once so many characters stand in the line. */
const LINE = { most: 68, indent: 10 } as const;
const IGNORED: Record<FatFlowDump['ignore'], string> = { none: '', source: ' - Sip', destination: ' - Dip' };

/** The section with the blank line that closes it; empty without rules. */
export function formatFatFlows({ fatFlows, fatFlowExclude }: VifDump): string {
  if (fatFlows.length === 0) return '';
  const isIpv6 = (prefix: string): boolean => prefix.includes(':');
  return [
    `${INDENT}${rulesText(fatFlows)}\n\n`,
    excludeText(
      'IPv4',
      fatFlowExclude.filter((prefix) => !isIpv6(prefix)),
    ),
    excludeText('IPv6', fatFlowExclude.filter(isIpv6)),
  ].join('');
}

function rulesText(rules: readonly FatFlowDump[]): string {
  let text = TITLE;
  let column = TITLE.length;
  for (const [i, rule] of rules.entries()) {
    const isLast = i === rules.length - 1;
    const part = ruleText(rule) + (isLast ? '' : ', ');
    text += part;
    column += part.length;
    if (column <= LINE.most || isLast) continue;
    text += `\n${INDENT}${' '.repeat(LINE.indent)}`;
    column = LINE.indent;
  }
  return text;
}

/** `6:22  - Sip`: a blank follows a port, none the star of all ports. */
function ruleText({ protocol, port, ignore, source, destination }: FatFlowDump): string {
  const folded = (title: string, prefix: FatFlowDump['source']): string =>
    prefix === null ? '' : ` ${title} ${prefix.prefix}/${prefix.length} ${prefix.aggregate}`;
  return `${protocol}:${port === 0 ? '*' : `${port} `}${IGNORED[ignore]}${folded('AggrSrc', source)}${folded('AggrDst', destination)}`;
}

/** The classic tool leaves the lengths out. */
function excludeText(family: string, prefixes: readonly string[]): string {
  if (prefixes.length === 0) return '';
  const rows = prefixes.map((prefix) => `${INDENT}\t${prefix.replace(/\/.*/, '')}\n`);
  return `${INDENT}FatFlows ${family} exclude prefix list:\n${rows.join('')}\n`;
}
