import type { MirrorState, MirrorStates } from './agent/mirror-states.js';
import type { MirrorCounters, MirrorDump } from './control/mirror-dumps.js';
import { subject } from './control/schema.js';
import { type Counters, MIRROR } from './tables/counters.js';
import type { Mirror } from './tables/mirror.js';
import type { Tables } from './tables/tables.js';

export interface MirrorViewParts {
  readonly tables: Tables;
  readonly counters: Counters;
  /** Full name of the interface behind a vif. */
  readonly nameOf: (vif: number) => string | undefined;
  /** Which of them find their analyzers. */
  readonly states: Pick<MirrorStates, 'list'>;
}

/** What `mirror` asks. */
export class MirrorView {
  readonly #parts: MirrorViewParts;

  constructor(parts: MirrorViewParts) {
    this.#parts = parts;
  }

  *list(): Generator<MirrorDump> {
    const { tables, states } = this.#parts;
    const users = usersOf(this.#parts);
    const stateOf = new Map(states.list().map((state) => [state.index, state]));
    for (const mirror of tables.mirrors.entries()) yield this.#dump(mirror, users, stateOf.get(mirror.record.id));
  }

  get(index: number): MirrorDump | undefined {
    const mirror = this.#parts.tables.mirrors.get(index);
    const state = this.#parts.states.list().find((one) => one.index === index);
    return mirror && this.#dump(mirror, usersOf(this.#parts), state);
  }

  #dump({ record }: Mirror, users: Users, known: MirrorState | undefined): MirrorDump {
    const { id, nexthop, name, isDynamic, vni, nicVlan, rateLimit, sample, snapLength } = record;
    const isNicAssisted = nicVlan !== 0;
    const { state, reason } = known ?? UNKNOWN;
    return {
      index: id,
      nexthop,
      name,
      isDynamic,
      isNicAssisted,
      vni: vni >= 0 ? vni : isDynamic || isNicAssisted ? 0 : null,
      vlan: nicVlan,
      state,
      reason: reason === '' ? null : reason,
      users: users.get(id) ?? [],
      rateLimit,
      sample,
      snapLength,
      counters: this.#countersOf(id),
    };
  }

  #countersOf(index: number): MirrorCounters {
    const { counters } = this.#parts;
    const at = counters.mirrorAt(index);
    const word = (name: keyof typeof MIRROR): number => counters.words[at + MIRROR[name]];
    return {
      ingress: { packets: word('ingressPackets'), bytes: word('ingressBytes') },
      egress: { packets: word('egressPackets'), bytes: word('egressBytes') },
      discards: word('discards'),
      limited: word('limited'),
      sampledOut: word('sampledOut'),
      failed: word('failed'),
      looped: word('looped'),
      suppressed: word('suppressed'),
    };
  }
}

/** What there is to say of a mirror nobody has any more. */
const UNKNOWN: MirrorState = { state: 'unresolved', reason: 'nobody mirrors to it any more' };

/** Names of those who mirror, by index of the mirror. */
type Users = ReadonlyMap<number, readonly string[]>;

function usersOf({ tables, nameOf }: MirrorViewParts): Users {
  const users = new Map<number, string[]>();
  const add = (mirror: number, user: string): void => {
    const known = users.get(mirror);
    if (known === undefined) users.set(mirror, [user]);
    else if (!known.includes(user)) known.push(user);
  };
  for (const vif of tables.vifs.entries()) {
    const name = nameOf(vif.id);
    const user = name === undefined ? `vif0/${vif.id}` : subject({ kind: 'VirtualMachineInterface', name });
    for (const { mirror } of vif.record.mirrors) add(mirror, user);
  }
  for (const acl of tables.acls) {
    for (const rule of acl?.record.rules ?? []) for (const { mirror } of rule.mirrors) add(mirror, rule.name);
  }
  return users;
}
