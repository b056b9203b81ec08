/** The flow table as the classic tool lists it. */
import type { FlowDump, FlowEnd, FlowNames, FlowTableDump } from '../control/flow-dumps.js';
import { protocolTitle } from '../control/flow-match.js';
import type { FlowEndpoint, FlowMatch } from '../control/flow-match.js';

/** The text behind an entry's addresses goes on in a new line behind this column. */
const WRAP = 70;
/** The same for the indices of overflow entries. */
const OVERFLOW_WRAP = 65;
const TCP = 6;

/** The table's size and what happened in it, then what the letters mean. */
export function formatHeader(table: FlowTableDump): string {
  const counts =
    `Entries: Created ${table.created} Added ${table.added} Deleted ${table.deleted} Changed ${table.changed}` +
    `Processed ${table.created} Used Overflow entries ${table.overflowUsed}`;
  return `Flow table(size ${table.bytes}, entries ${table.entries})

${counts}
(Created Flows/CPU: ${table.createdByWorker.join(' ')})(oflows ${table.overflowUsed})

Action:F=Forward, D=Drop N=NAT(S=SNAT, D=DNAT, Ps=SPAT, Pd=DPAT, L=Link Local Port)
 Other:K(nh)=Key_Nexthop, S(nh)=RPF_Nexthop
 Flags:E=Evicted, Ec=Evict Candidate, N=New Flow, M=Modified Dm=Delete Marked
TCP(r=reverse):S=SYN, F=FIN, R=RST, C=HalfClose, E=Established, D=Dead

`;
}

/** What a listing is restricted to, `[10.10.0.1]:*, Protocol TCP, VRF 8`; empty when it is not. */
export function formatConditions({ endpoints, protocol, vrf }: FlowMatch): string {
  const conditions = endpoints.map(formatEndpoint);
  if (protocol !== null) conditions.push(`Protocol ${protocolTitle(protocol)}`);
  if (vrf !== null && vrf > 0) conditions.push(`VRF ${vrf}`);
  return conditions.join(', ');
}

const formatEndpoint = ({ address, port }: FlowEndpoint): string => `[${address ?? '*'}]:${port ?? '*'}`;

/** Titles of the columns, behind what the listing is restricted to. */
export function formatTitles(match: FlowMatch | null): string {
  const conditions = match === null ? '' : formatConditions(match);
  return `${conditions === '' ? '' : `Listing flows matching (${conditions})\n\n`}${TITLES}`;
}

const TITLES =
  `${' '.repeat(4)}Index${' '.repeat(16)}Source:Port/Destination:Port${' '.repeat(22)}Proto(V)\n` +
  `${'-'.repeat(83)}\n`;

/** One entry and the blank line behind it. */
export function formatFlow(flow: FlowDump): string {
  const names = flow.names === undefined ? '' : `\n Names ${formatNames(flow, flow.names)}`;
  return `${formatAddresses(flow)}${formatState(flow)}${names}${formatOverflow(flow.overflow)}\n\n`;
}

function formatAddresses(flow: FlowDump): string {
  const reverse = flow.reverse === null ? ' '.repeat(12) : `<=>${String(flow.reverse).padEnd(9)}`;
  const family = flow.family === 'inet' ? '' : ' '.repeat(4);
  const source = `${flow.source}:${String(flow.sourcePort).padEnd(5)}${family}`.padEnd(46);
  const vrf = flow.destinationVrf === null ? String(flow.vrf) : `${flow.vrf}->${flow.destinationVrf}`;
  return (
    `${String(flow.index).padStart(9)}${reverse}    ${source}    ${String(flow.protocol).padStart(3)} (${vrf})\n` +
    `${' '.repeat(25)}${flow.destination}:${String(flow.destinationPort).padEnd(5)}${family}\n`
  );
}

function formatState(flow: FlowDump): string {
  const line = new Line();
  line.add(`(Gen: ${flow.generation}, K(nh):${flow.keyNexthop}, Action:${formatAction(flow)}, `);
  line.add(`Flags:${flow.flags.join('')}, `);
  if (flow.protocol === TCP) line.add(`TCP:${flow.tcp.join('')}, `);
  if (flow.ecmpMember !== null) line.add(`E:${flow.ecmpMember}, `);
  line.add(`QOS:${flow.qos}, S(nh):${flow.rpfNexthop ?? 0}, `).wrap();
  line.add(` Stats:${flow.packets}/${flow.bytes}, `).wrap();
  const [mirror, second] = flow.mirrors;
  if (flow.mirrors.length > 0) {
    line.add(` Mirror Index : ${mirror}`);
    if (flow.mirrors.length > 1) line.add(`, ${second}, `);
    line.wrap();
  }
  line.add(` SPort ${flow.udpSourcePort},`).wrap();
  line.addUncounted(` TTL ${flow.ttl},`).wrap();
  line.add(` Sinfo ${flow.sourceInfo})`);
  return line.text;
}

/** Text that goes on in a new line where it has become too long. */
class Line {
  text = '';
  #column = 0;

  add(text: string): this {
    this.#column += text.length;
    return this.addUncounted(text);
  }

  addUncounted(text: string): this {
    this.text += text;
    return this;
  }

  wrap(): void {
    if (this.#column < WRAP) return;
    this.text += '\n';
    this.#column = 0;
  }
}

/** `F`, `H`, `D(Policy)`, `N(SPs)`. */
export function formatAction({ action, dropReason, nat }: FlowDump): string {
  switch (action) {
    case 'forward':
      return 'F';
    case 'hold':
      return 'H';
    case 'drop':
      return `D(${dropReason ?? ''})`;
    case 'nat':
      return `N(${nat.join('')})`;
  }
}

function formatOverflow(indices: readonly number[] | undefined): string {
  if (indices === undefined) return '';
  let text = '\n     Oflow entries:\n\t';
  let printed = 0;
  for (const index of indices) {
    if (printed > OVERFLOW_WRAP) {
      text += '\n\t';
      printed = 0;
    }
    text += `${index} `;
    printed += `${index} `.length;
  }
  return text;
}

/** `vm1 (blue) -> vm2 (red), by NetworkPolicy/web rules[1]`. */
export function formatNames(flow: FlowDump, { source, destination, rule }: FlowNames): string {
  const by = rule === null ? '' : `, by ${rule}`;
  return `${formatEnd(source, flow.source, flow)} -> ${formatEnd(destination, flow.destination, flow)}${by}`;
}

/** An end a fat flow ignores is `any`, one it folds is the prefix it folds to, and an address nobody here has is `-`. */
function formatEnd({ vmi, network, prefixLength }: FlowEnd, address: string, { family }: FlowDump): string {
  if (prefixLength === 0) return 'any';
  const whole = family === 'inet' ? 32 : 128;
  const who = prefixLength < whole ? `${address}/${prefixLength}` : shortName(vmi ?? '-');
  return network === null ? who : `${who} (${shortName(network)})`;
}

/** A name of the default project without domain and project. */
const shortName = (name: string): string => name.replace(/^default-domain:default-project:/, '');
