/** Entries of the flow table as the tools show them. */
import type { FlowDump, FlowTableDump } from '../control/flow-dumps.js';
import {
  FLOW,
  FLOW_ACTION,
  FLOW_BYTES,
  FLOW_DOUBLE,
  FLOW_DROP_TEXT,
  FLOW_FLAG,
  FLOW_HEADER,
  FLOW_OWN,
  type FlowTable,
  NO_MIRROR,
  TCP_FLAG,
} from '../tables/flow.js';
import { flowAddress, flowSourceInfo } from '../tables/flow-text.js';

/** Letters of the flags of an entry, in print order. */
const FLAG_LETTERS = { evicted: 'E', evictCandidate: 'Ec', newFlow: 'N', modified: 'M', deleteMarked: 'Dm' } as const;

/** Letters of what NAT changes, in print order. */
const NAT_LETTERS = { snat: 'S', spat: 'Ps', dnat: 'D', dpat: 'Pd', linkLocal: 'L' } as const;

/** Letters of what TCP has shown, in print order. */
const TCP_LETTERS = {
  syn: 'S',
  synReverse: 'Sr',
  established: 'E',
  establishedReverse: 'Er',
  fin: 'F',
  finReverse: 'Fr',
  reset: 'R',
  halfClose: 'C',
  dead: 'D',
} as const;

const ACTIONS: Readonly<Record<number, FlowDump['action']>> = {
  [FLOW_ACTION.drop]: 'drop',
  [FLOW_ACTION.hold]: 'hold',
  [FLOW_ACTION.forward]: 'forward',
  [FLOW_ACTION.nat]: 'nat',
};

const TCP = 6;
const NO_ECMP_MEMBER = 0xff;
const NO_VIF = 0xffff;

/**
 * The entry at `index`, which is in use. `now`: milliseconds by the worker's clock (CLOCK_MONOTONIC).
 */
export function flowDump(table: FlowTable, index: number, now: number): FlowDump {
  const { words, doubles } = table;
  const at = table.at(index);
  const word = (name: keyof typeof FLOW): number => words[at + FLOW[name]];
  const double = (name: keyof typeof FLOW_DOUBLE): number => doubles[table.doubleAt(index) + FLOW_DOUBLE[name]];
  const protocol = word('protocol');
  const overflow = table.overflowOf(index);
  const own = word('owner') >>> 16;
  const fromFabric = (own & FLOW_OWN.fromFabric) !== 0;
  const rpf = word('rpfNh');
  const ecmp = word('outer') >>> 24;
  return {
    index,
    generation: table.generation(index),
    reverse: word('reverse') < 0 ? null : word('reverse'),
    family: protocol >>> 8 === 4 ? 'inet' : 'inet6',
    protocol: protocol & 0xff,
    source: flowAddress(words, at, FLOW.source),
    sourcePort: word('ports') >>> 16,
    destination: flowAddress(words, at, FLOW.destination),
    destinationPort: word('ports') & 0xffff,
    keyNexthop: word('keyNh'),
    vrf: word('vrf') & 0xffff,
    ...decision(word('state'), word('vrf')),
    tcp: (protocol & 0xff) === TCP ? letters(word('tcp'), TCP_FLAG, TCP_LETTERS) : [],
    ecmpMember: ecmp === NO_ECMP_MEMBER ? null : ecmp,
    qos: -1,
    rpfNexthop: rpf < 0 ? null : rpf,
    packets: double('packets'),
    bytes: double('bytes'),
    mirrors: [word('mirrors') & 0xffff, word('mirrors') >>> 16].filter((mirror) => mirror !== NO_MIRROR),
    udpSourcePort: word('outer') & 0xffff,
    ttl: (word('outer') >>> 16) & 0xff,
    sourceInfo: flowSourceInfo(word('source1'), fromFabric),
    fromFabric,
    vif: (word('owner') & 0xffff) === NO_VIF ? null : word('owner') & 0xffff,
    forward: (own & FLOW_OWN.forward) !== 0,
    fat: (own & FLOW_OWN.fat) !== 0,
    short: (own & FLOW_OWN.short) !== 0,
    ageMs: elapsed(double('created'), now),
    idleMs: elapsed(double('lastSeen'), now),
    decidedBy: word('rule') === -1 ? null : { acl: word('rule') >>> 16, rule: word('rule') & 0xffff },
    ...(overflow.length > 0 && { overflow }),
  };
}

/** The table as its header counts it. */
export function flowTableDump(table: FlowTable): FlowTableDump {
  const header = (name: keyof typeof FLOW_HEADER): number => table.header[FLOW_HEADER[name]];
  return {
    bytes: table.size * FLOW_BYTES,
    entries: table.size,
    overflowEntries: header('overflow'),
    active: header('active'),
    overflowUsed: header('overflowUsed'),
    created: header('created'),
    createdByWorker: [header('created')],
    added: header('added'),
    deleted: header('deleted'),
    changed: header('changed'),
    tableFull: header('tableFull'),
    limited: header('limited'),
  };
}

/** What the state of an entry says is done with its packets. */
export const flowAction = (state: number): FlowDump['action'] => ACTIONS[(state >>> 16) & 0xff] ?? 'drop';

function decision(
  state: number,
  vrf: number,
): Pick<FlowDump, 'action' | 'dropReason' | 'nat' | 'flags' | 'destinationVrf'> {
  const action = flowAction(state);
  return {
    destinationVrf: (state & FLOW_FLAG.vrfTranslate) === 0 ? null : vrf >>> 16,
    action,
    dropReason: action === 'drop' ? dropText(state >>> 24) : null,
    nat: action === 'nat' ? letters(state, FLOW_FLAG, NAT_LETTERS) : [],
    flags: letters(state, FLOW_FLAG, FLAG_LETTERS),
  };
}

/** A code without a text is shown as it is. */
const dropText = (code: number): string => (code < FLOW_DROP_TEXT.length ? FLOW_DROP_TEXT[code] : String(code));

/** Letters of the bits of `flags` that are set, in the order of `texts`. */
function letters<F extends string>(
  flags: number,
  bits: Readonly<Record<NoInfer<F>, number>>,
  texts: Readonly<Record<F, string>>,
): string[] {
  return (Object.keys(texts) as F[]).filter((name) => (flags & bits[name]) !== 0).map((name) => texts[name]);
}

/** Whole milliseconds since `then`. An entry the writer has not finished may have no time yet. */
const elapsed = (then: number, now: number): number => (then === 0 ? 0 : Math.max(0, Math.round(now - then)));
