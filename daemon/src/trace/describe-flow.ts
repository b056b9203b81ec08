import { FLOW, FLOW_ACTION, FLOW_DROP, FLOW_DROP_TEXT, FLOW_OWN } from '../tables/flow.js';
import { flowAddress } from '../tables/flow-text.js';
import { formatMac } from '../wire/addr.js';
import * as ethernet from '../wire/ethernet.js';
import type { TraceNames } from './names.js';
import { protocolText } from './packet-text.js';
import type { Shown, Step } from './step.js';

const ACTIONS = ['drop', 'hold', 'forward', 'NAT'];

/** An access list was asked about a session. */
export function asked({ a, b }: Step, _: readonly Step[], names: TraceNames): Shown {
  const record = names.tables.acls[a]?.record;
  const rule = b < 0 ? undefined : record?.rules.at(b);
  const result = rule ? `${rule.name}: ${rule.action}` : `no rule matches: ${record?.otherwise ?? 'deny'}`;
  return { subject: names.acl(a), result, ids: { acl: a, ...(b >= 0 && { rule: b }) } };
}

/** A session was decided. */
export function decided(step: Step, _: readonly Step[], names: TraceNames): Shown {
  const { a, b, c, d } = step;
  const ids = d < 0 ? {} : { acl: d >>> 16, rule: d & 0xffff };
  if (b === FLOW_ACTION.drop) return { subject: 'session', result: `drop (${dropText(c)})`, ids };
  const fat = isFat(a, names) ? ', fat flow' : '';
  return { subject: 'session', result: `${ACTIONS[b]}${fat}`, ids };
}

/** A packet belongs to a session. */
export function session({ a, b, c, d }: Step, _: readonly Step[], names: TraceNames): Shown {
  const index = names.flowIndex(a);
  const action = (c >>> 16) & 0xff;
  const what = action === FLOW_ACTION.drop ? `drop (${dropText(c >>> 24)})` : ACTIONS[action];
  const which = index === undefined || b === 1 ? 'new' : `flow ${index}`;
  const rpf = d > 0 ? `, S(nh) ${d}` : '';
  const ids = index === undefined ? {} : { flow: index };
  return { subject: keyText(a, names), result: `${which}, ${what}${rpf}`, ids };
}

const dropText = (code: number): string => FLOW_DROP_TEXT[code] ?? String(code);

function isFat(index: number, { flows }: TraceNames): boolean {
  return ((flows.words[flows.at(index) + FLOW.owner] >>> 16) & FLOW_OWN.fat) !== 0;
}

/** `TCP 5.5.5.3:40000 > 5.5.5.4:80, K(nh) 23`: the key of an entry, in which fat flows leave zeros. */
function keyText(index: number, { flows }: TraceNames): string {
  const at = flows.at(index);
  const { words } = flows;
  const ports = words[at + FLOW.ports];
  const end = (side: number, port: number): string => {
    const address = flowAddress(words, at, side);
    return `${address.includes(':') ? `[${address}]` : address}:${port}`;
  };
  const [source, destination] = [end(FLOW.source, ports >>> 16), end(FLOW.destination, ports & 0xffff)];
  return `${protocolText(words[at + FLOW.protocol] & 0xff)} ${source} > ${destination}, K(nh) ${words[at + FLOW.keyNh]}`;
}

/** Why packets of a session are dropped: its entry's reason, and what decided. */
export function flowDropText(step: Step, names: TraceNames): string {
  return `${dropText(step.c >>> 24)}: ${explainDrop(step, names)}`;
}

function explainDrop({ a, c, vif, head }: Step, names: TraceNames): string {
  const { flows, tables } = names;
  const code = c >>> 24;
  switch (code) {
    case FLOW_DROP.noSrcRt:
      return strangeMac(vif, head, names) ?? "its source address is not the interface's";
    case FLOW_DROP.noDstRt:
      return 'nobody has its destination address';
    case FLOW_DROP.sameFlowRflowKey:
      return 'it goes to where it comes from';
  }
  const rule = flows.words[flows.at(a) + FLOW.rule];
  if (rule >= 0) return tables.acls[rule >>> 16]?.record.rules.at(rule & 0xffff)?.name ?? names.acl(rule >>> 16);
  const acl = listOf(code, a, names);
  return acl === undefined || acl < 0 ? 'nothing lets it pass' : `no rule of ${names.acl(acl)} matches`;
}

/** The access list that refuses the session of an entry without any of its rules. */
function listOf(code: number, index: number, { flows, tables }: TraceNames): number | undefined {
  const at = flows.at(index);
  const reverse = flows.words[at + FLOW.reverse];
  const isForward = ((flows.words[at + FLOW.owner] >>> 16) & FLOW_OWN.forward) !== 0 || reverse < 0;
  const forward = isForward ? at : flows.at(reverse);
  const answer = isForward && reverse >= 0 ? flows.at(reverse) : at;
  const owner = (entry: number): number => flows.words[entry + FLOW.owner] & 0xffff;
  const vrfs = flows.words[forward + FLOW.vrf];
  switch (code) {
    case FLOW_DROP.policy:
      return tables.vrfs[vrfs & 0xffff]?.record.acl;
    case FLOW_DROP.outPolicy:
      return tables.vrfs[vrfs >>> 16]?.record.acl;
    case FLOW_DROP.sg:
      return tables.vifs.get(owner(forward))?.egressAcl;
    case FLOW_DROP.outSg:
      return tables.vifs.get(owner(answer))?.ingressAcl;
    default:
      return undefined;
  }
}

/** Says that the frame's source MAC is not one the interface may send from; null: it is. */
export function strangeMac(vif: number, head: Uint8Array, { tables }: TraceNames): string | null {
  const from = tables.vifs.get(vif);
  if (!from?.portSecurity || head.length < ethernet.LEN || from.owns(head, ethernet.SRC)) return null;
  return `its source MAC ${formatMac(head, ethernet.SRC)} is not the interface's`;
}
