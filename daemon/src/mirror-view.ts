import type { MirrorCounters, MirrorDump } from './control/mirror-dumps.js';
import { subject } from './control/schema.js';
import { type Counters, MIRROR } from './tables/counters.js';
import type { Mirror } from './tables/mirror.js';
import { NH_TYPE } from './tables/records.js';
import type { Tables } from './tables/tables.js';

export interface MirrorViewParts {
  readonly tables: Tables;
  readonly counters: Counters;
  /** Full name of the interface behind a vif. */
  readonly nameOf: (vif: number) => string | undefined;
}

/** What `mirror` asks. */
export class MirrorView {
  readonly #parts: MirrorViewParts;

  constructor(parts: MirrorViewParts) {
    this.#parts = parts;
  }

  *list(): Generator<MirrorDump> {
    const users = usersOf(this.#parts);
    for (const mirror of this.#parts.tables.mirrors.entries()) yield this.#dump(mirror, users);
  }

  get(index: number): MirrorDump | undefined {
    const mirror = this.#parts.tables.mirrors.get(index);
    return mirror && this.#dump(mirror, usersOf(this.#parts));
  }

  #dump({ record }: Mirror, users: Users): MirrorDump {
    const { id, nexthop, name, isDynamic, vni, nicVlan, rateLimit, sample, snapLength } = record;
    const isNicAssisted = nicVlan !== 0;
    const trouble = isNicAssisted ? null : this.#troubleOf(nexthop);
    return {
      index: id,
      nexthop,
      name,
      isDynamic,
      isNicAssisted,
      vni: vni >= 0 ? vni : isDynamic || isNicAssisted ? 0 : null,
      vlan: nicVlan,
      state: trouble === null ? 'resolved' : 'unresolved',
      reason: trouble,
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

  #troubleOf(nexthop: number): string | null {
    const type = this.#parts.tables.nexthops.get(nexthop)?.type;
    return type === undefined || type === NH_TYPE.discard ? 'the way to the analyzer is not known' : null;
  }
}

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
