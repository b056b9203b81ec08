import { MIRROR_OUTCOME, MIRRORED, STEP } from '../datapath/tracer.js';
import { DROP_REASONS, DROP_TEXT } from '../packet/drop.js';
import { NH_TYPE } from '../tables/records.js';
import type { TraceNames } from './names.js';
import { placesOf } from './places.js';
import type { Shown, Step } from './step.js';

const WHAT: Readonly<Record<number, string>> = {
  [MIRRORED.received]: 'what the interface receives',
  [MIRRORED.sent]: 'what the interface is sent',
  [MIRRORED.flow]: 'the session',
};

/** A packet was copied for an analyzer, or was not. */
export function mirrored(step: Step, _: readonly Step[], names: TraceNames): Shown {
  const { a, b, c, d } = step;
  const result = c === MIRROR_OUTCOME.copied ? copied(step, names) : `not copied: ${reason(step, names)}`;
  const isNamed = d >= 0 && (c === MIRROR_OUTCOME.copied || c === MIRROR_OUTCOME.unresolved);
  return { subject: `${names.mirror(a)}, ${WHAT[b]}`, result, ids: { mirror: a, ...(isNamed && { nexthop: d }) } };
}

/** Where the copy went: `copied, out of vif0/5 tap5 (analyzer)`. */
function copied({ a, copies }: Step, names: TraceNames): string {
  const places = placesOf(copies, names);
  const sample = names.tables.mirrors.get(a)?.record.sample ?? 1;
  const part = sample > 1 ? ` as one of ${sample} packets` : '';
  if (places !== '') return `copied${part}, ${places}`;
  const drop = copies.find(({ kind }) => kind === STEP.drop);
  return `copied${part}, and dropped${drop ? `: ${DROP_TEXT[DROP_REASONS[drop.a]]}` : ''}`;
}

function reason({ a, c, d, vrf }: Step, names: TraceNames): string {
  const record = names.tables.mirrors.get(a)?.record;
  switch (c) {
    case MIRROR_OUTCOME.sampledOut:
      return `one of ${record?.sample} packets is`;
    case MIRROR_OUTCOME.limited:
      return `more than ${record?.rateLimit} copies a second`;
    case MIRROR_OUTCOME.looped:
      return 'it is a copy for this analyzer';
    case MIRROR_OUTCOME.byNic:
      return `the NIC does where it leaves through the underlay, with VLAN tag ${record?.nicVlan}`;
    case MIRROR_OUTCOME.gone:
      return 'there is no such mirror';
    default:
      return unresolved(record?.nexthop ?? -1, d, vrf, names);
  }
}

/** Why nothing leads to the analyzer of a mirror with this nexthop; `leg`: the nexthop copies would take. */
function unresolved(id: number, leg: number, vrf: number, names: TraceNames): string {
  const { nexthops } = names.tables;
  const nexthop = nexthops.get(id)?.record;
  const way = nexthops.get(leg)?.record;
  if (way?.tunnel) return `the way to ${names.peer(way.tunnel.peer) ?? way.tunnel.destination} is not known`;
  if (!nexthop?.udp) return 'where its analyzer is is not known';
  const to = `${nexthop.udp.destination} in ${names.vrf(nexthop.vrf >= 0 ? nexthop.vrf : vrf)}`;
  return way === undefined || way.type === NH_TYPE.discard ? `no route to ${to}` : `nobody has ${to}`;
}
