import { shortName } from '../control/names.js';
import { subject } from '../control/schema.js';
import type { StateStore, StoredObject } from '../control/store.js';
import { NH_ID } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import { familyOf, parseAddress } from '../wire/addr.js';
import { destinationAnalyzer } from './analyzers.js';
import { FABRIC } from './compile.js';
import { connections, names } from './connections.js';
import { exportTargets, importTargets } from './exchange.js';
import { instanceOf, isRaw, type MirrorUse } from './mirror-uses.js';
import type { Mirror, Mirrors } from './mirrors.js';
import { addressPlan, planOf } from './ipam.js';
import { parseAddress as numberOf } from '../control/prefix.js';
import type { NetworkObject } from './plan.js';
import type { Underlay } from './way.js';

/** What became of a mirror. */
export interface MirrorState {
  readonly state: 'resolved' | 'unresolved';
  /** Why copies do not arrive, or what is odd about it; empty: all is well. */
  readonly reason: string;
}

/** A mirror of this host, for operators. */
export interface MirrorReport extends MirrorState {
  /** -1: it has none, as all are in use. */
  readonly index: number;
  readonly analyzerName: string;
  /** Objects that have packets copied to it, as messages name them. */
  readonly users: readonly string[];
}

/** What became of a mirror of an interface. */
export type InterfaceMirrorState = Pick<MirrorReport, 'analyzerName' | 'index' | 'state' | 'reason'>;

interface Parts {
  readonly mirrors: Pick<Mirrors, 'all' | 'vrfOf' | 'targetOf' | 'vxlanHostOf'>;
  readonly tables: Pick<Tables, 'vrfs'>;
  readonly store: Pick<StateStore, 'list' | 'get'>;
  readonly underlay: Pick<Underlay, 'wayTo'>;
}

/** Users named in one warning. */
const SHOWN_USERS = 3;

/** Tells whether copies find their analyzers, and if not, why. Looks at the tables as they are when it is asked. */
export class MirrorStates {
  readonly #parts: Parts;
  /** Of one call: networks connected with those that mirror, null: not asked yet; and why there is no route, by network and address. */
  #connected: ReturnType<typeof connections<NetworkObject>> | null = null;
  readonly #whys = new Map<string, string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All mirrors of this host, in the order of their indices. */
  list(): MirrorReport[] {
    this.#forget();
    return this.#parts.mirrors.all.map((mirror) => {
      const states = mirror.uses.map((use) => this.#stateOf(mirror, use));
      const isResolved = states.every(({ state }) => state === 'resolved');
      return {
        index: mirror.id,
        analyzerName: mirror.uses[0].to.analyzerName,
        state: isResolved ? 'resolved' : 'unresolved',
        reason: [...new Set(states.map(({ reason }) => reason))].filter((reason) => reason !== '').join('; '),
        users: [...new Set(mirror.uses.map(({ user }) => user))],
      };
    });
  }

  /** Those of an interface. */
  ofInterface(name: string): InterfaceMirrorState[] {
    this.#forget();
    return this.#parts.mirrors.all.flatMap((mirror) =>
      mirror.uses
        .filter(({ vmi }) => vmi?.name === name)
        .map((use) => ({ analyzerName: use.to.analyzerName, index: mirror.id, ...this.#stateOf(mirror, use) })),
    );
  }

  /** One line for each thing that keeps copies from an analyzer, or is odd. */
  warnings(): string[] {
    this.#forget();
    return this.#parts.mirrors.all.flatMap((mirror) => {
      const users = new Map<string, string[]>();
      for (const use of mirror.uses) {
        const { reason } = this.#stateOf(mirror, use);
        if (reason !== '') users.set(reason, [...(users.get(reason) ?? []), use.user]);
      }
      const { analyzerName } = mirror.uses[0].to;
      return [...users].map(([reason, of]) => `${listed(of)}: mirror to "${analyzerName}": ${reason}`);
    });
  }

  #forget(): void {
    this.#connected = null;
    this.#whys.clear();
  }

  #stateOf({ id }: Mirror, use: MirrorUse): MirrorState {
    const problem = id < 0 ? 'every mirror index of this host is in use; remove mirrors' : this.#problem(use);
    if (problem !== undefined) return { state: 'unresolved', reason: problem };
    return { state: 'resolved', reason: isOntoItself(use) ? 'the analyzer is the interface itself' : '' };
  }

  /** Why copies do not arrive; undefined: they do, as far as is known. */
  #problem(use: MirrorUse): string | undefined {
    const { to } = use;
    if (to.nicAssistedMirroring) return undefined;
    if (isRaw(to)) return this.#macProblem(use);
    if (to.staticNhHeader !== undefined) return this.#vtepProblem(to.staticNhHeader.vtepDstIp);
    if (to.analyzerIp === undefined) return `its address is not known: ${this.#nobody(to.analyzerName)}`;
    return this.#routeProblem(use, to.analyzerIp);
  }

  /** Whose address or MAC is missing. */
  #nobody(analyzerName: string): string {
    const destinations = this.#parts.store.list('MirrorDestination');
    const destination = destinations.find(({ name }) => destinationAnalyzer(name) === analyzerName);
    if (destination === undefined) return `no service instance "${analyzerName}" has one`;
    return `the interface of ${subject(destination)} has none`;
  }

  #vtepProblem(address: string): string | undefined {
    const way = this.#parts.underlay.wayTo(address);
    if (way === null) return `no way to ${address} through the underlay interface; add a route of the host to it`;
    return way.rewrite === '' ? `the next hop to ${address} does not answer; see whether it is up` : undefined;
  }

  #macProblem(use: MirrorUse): string | undefined {
    const { mirrors, store } = this.#parts;
    const { analyzerMac, analyzerName } = use.to;
    const name = instanceOf(use);
    if (name === FABRIC.name) return 'the underlay has no MACs of analyzers; name another routingInstance';
    const network = store.get('VirtualNetwork', name);
    if (network === undefined) return `routing instance ${shortName(name)} is not known: there is no such network`;
    if (analyzerMac === undefined) return `its MAC is not known: ${this.#nobody(analyzerName)}; name analyzerMac`;
    if (network.spec.forwardingMode === 'l3')
      return `${subject(network)} knows no MACs; use forwardingMode l2_l3 or l2`;
    if (mirrors.targetOf(name, analyzerMac) !== undefined) return undefined;
    const host = mirrors.vxlanHostOf(name, analyzerMac);
    if (host !== null)
      return `host ${host} is reached by VXLAN, which cannot say whom a copy without header is for; use juniperHeader: true, or MPLS first`;
    return `MAC ${analyzerMac} not known in ${subject(network)}: no interface of it that is up has it`;
  }

  #routeProblem(use: MirrorUse, address: string): string | undefined {
    const { mirrors, tables, store } = this.#parts;
    const vrf = mirrors.vrfOf(use.network);
    const network = store.get('VirtualNetwork', use.network);
    if (vrf === undefined || network === undefined) return `${use.network} is not on this host`;
    if (network.spec.forwardingMode === 'l2')
      return `${subject(network)} is of layer 2 and routes nothing; set juniperHeader: false, or use forwardingMode l2_l3`;
    const route = tables.vrfs[vrf]?.[familyOf(address)].lookup(parseAddress(address), 0);
    const nexthop = route?.nexthop ?? NH_ID.discard;
    if (nexthop === NH_ID.agent) return `${address} is an address of the gateway of ${subject(network)}`;
    if (nexthop !== NH_ID.discard && nexthop !== NH_ID.drop) return undefined;
    return `no route from ${subject(network)} to ${address}: ${this.#whyNoRouteOnce(network, address)}`;
  }

  #whyNoRouteOnce(network: NetworkObject, address: string): string {
    const key = `${network.name} ${address}`;
    const why = this.#whys.get(key) ?? this.#whyNoRoute(network, address);
    this.#whys.set(key, why);
    return why;
  }

  #connectedWith(network: NetworkObject): readonly NetworkObject[] {
    const { store, mirrors } = this.#parts;
    const policies = { get: (name: string) => store.get('NetworkPolicy', name) };
    const mirrored = new Set(mirrors.all.flatMap(({ uses }) => uses.map((use) => use.network)));
    const all = store.list('VirtualNetwork');
    this.#connected ??= connections(
      all.filter(({ name }) => mirrored.has(name)),
      all,
      policies,
    );
    return this.#connected.get(network.name) ?? [];
  }

  /** What is missing for a network to have a route to an address. */
  #whyNoRoute(network: NetworkObject, address: string): string {
    const { store } = this.#parts;
    const policies = { get: (name: string) => store.get('NetworkPolicy', name) };
    const owner = this.#ownerOf(network, address);
    if (owner === undefined) {
      if (names(network, FABRIC.name, policies)) return 'no network has it, and no prefix of the underlay';
      return `no network has it; if it is on the underlay, a policy between ${subject(network)} and ${shortName(FABRIC.name)} is missing`;
    }
    const { network: other, vmi } = owner;
    if (vmi === undefined) return `no interface of ${subject(other)} has it`;
    if (other.spec.forwardingMode === 'l2') return `${subject(other)}, which has it, is of layer 2 and routes nothing`;
    const imports = importTargets(network, this.#connectedWith(network));
    if (exportTargets(other).some((target) => imports.includes(target)))
      return `${subject(vmi)}, which has it, is not up`;
    return `a policy between ${subject(network)} and ${subject(other)}, which has it, is missing, or a route target both have`;
  }

  /** The network an address is of, its own before others, and the interface that has it. */
  #ownerOf(own: NetworkObject, address: string) {
    const { store } = this.#parts;
    const value = numberOf(address);
    const covers = (one: NetworkObject): boolean => planOf(one.spec.subnets.map(addressPlan), value) !== undefined;
    const holders = store.list('VirtualMachineInterface').filter(({ status }) => status.addresses.includes(address));
    const find = (vmi: StoredObject<'VirtualMachineInterface'>) => store.get('VirtualNetwork', vmi.spec.virtualNetwork);
    if (covers(own)) return { network: own, vmi: holders.find((vmi) => find(vmi) === own) };
    const vmi = holders.at(0);
    const network = vmi === undefined ? store.list('VirtualNetwork').find(covers) : find(vmi);
    return network && { network, vmi };
  }
}

/** Whether copies go to the interface whose frames they are of. */
function isOntoItself({ to, vmi, network }: MirrorUse): boolean {
  if (vmi === undefined || to.nicAssistedMirroring || to.nhMode === 'static') return false;
  if (isRaw(to)) return vmi.status.mac === to.analyzerMac && instanceOf({ to, network }) === network;
  return to.analyzerIp !== undefined && vmi.status.addresses.includes(to.analyzerIp);
}

function listed(users: readonly string[]): string {
  const more = users.length - SHOWN_USERS;
  return users.slice(0, SHOWN_USERS).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
