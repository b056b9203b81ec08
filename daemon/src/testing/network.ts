import { type Compiled, compileNetwork, EMPTY, FIXED, type InterfacePlan, type NetworkPlan } from '../agent/compile.js';
import { Reconciler } from '../agent/reconcile.js';
import { Datapath } from '../datapath/datapath.js';
import { inject } from '../datapath/inject.js';
import { MemoryIo, type SentFrame } from '../io/memory.js';
import { DROP, type DropReason } from '../packet/drop.js';
import { FrameRing, type RingFrame } from '../packet/frame-ring.js';
import { BridgeTable } from '../tables/bridge.js';
import { Counters, VRF_STAT, type VrfStat } from '../tables/counters.js';
import { FlowTable } from '../tables/flow.js';
import {
  type AclRecord,
  BRIDGE_FLAG,
  NH_FLAG,
  NH_TYPE,
  type NexthopRecord,
  ROUTE_FLAG,
  type TableChange,
  VIF_ID,
  VIF_TYPE,
} from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import type { Encapsulation } from '../wire/encapsulation.js';
import { OPEN_NETWORK, UNRESTRICTED_PORT } from './plans.js';

export { GATEWAY_MAC } from '../wire/ethernet.js';

/** A bridge table small enough to be made for every test. */
const SLOTS = { entries: 256, overflow: 64 } as const;

/** The network of a test: 5.5.5.0/24 and fd00:5::/64 in VRF 7, one guest at .3 and ::3 behind vif 3, the next at .4 behind vif 4 ... */
const VRF = 7;
const TREE = 88;
const LOCAL_TREE = 89;
const EVPN = 90;
const BRIDGING = 91;
const ROUTING = 92;
/** What the network's own guests have at other hosts' hands; labels for floods and for the routing table; and its VNI. */
export const routedLabelOf = (vif: number): number => 100 + vif;
export const bridgedLabelOf = (vif: number): number => 200 + vif;
export const FLOOD_LABEL = 300;
export const ROUTING_LABEL = 301;
export const VNI = 3333;
export const HOST_MAC = '0c:c4:7a:59:62:5c';
/** Addresses on the underlay: of this host, and of the next one there. */
export const UNDERLAY_MAC = '0c:00:00:00:00:01';
export const NEXT_HOP_MAC = '0c:00:00:00:00:02';
export const OUTER_ETHERNET = `${NEXT_HOP_MAC}${UNDERLAY_MAC}`.replaceAll(':', '') + '0800';
/** Where routed packets in a VXLAN go. */
export const INNER_MAC = '02:01:c0:a8:c8:0d';
const tunnelTo = (peer: number): number => 60 + peer;
export const macOf = (vif: number): string => `02:00:00:00:00:0${vif}`;
export const ipOf = (vif: number): string => `5.5.5.${vif}`;
export const ip6Of = (vif: number): string => `fd00:5::${vif}`;

export interface NetworkOptions extends Partial<
  Pick<NetworkPlan, 'mode' | 'floodUnknownUnicast' | 'mtu' | 'acl' | 'rpf'>
> {
  readonly guests?: number;
  readonly enableDhcp?: boolean;
  readonly agentBurst?: number;
  readonly underlayMtu?: number;
  /** Interfaces without flows. */
  readonly packetMode?: readonly number[] | 'all';
  /** What is different about an interface. */
  readonly port?: (vif: number) => Partial<InterfacePlan>;
  readonly acls?: readonly AclRecord[];
  /** Flow entries of an interface, and of the table. */
  readonly flowsPerInterface?: number;
  readonly flowEntries?: number;
  readonly flowOverflow?: number;
  readonly closeOnAnyReset?: boolean;
  readonly outerDf?: boolean;
  /** Other hosts: vif 0 leads to all of them. */
  readonly hosts?: readonly OtherHost[];
}

/** Another host, and what is behind the tunnel to it. */
export interface OtherHost {
  /** Its tunnel's nexthop is 60 + peer. */
  readonly peer: number;
  readonly encapsulation: Encapsulation;
  readonly mtu?: number;
  /** Ours and its address; as usual 192.168.200.11 and 192.168.200.20 + peer. */
  readonly source?: string;
  readonly destination?: string;
  /** Whether the way there is known. */
  readonly isResolved?: boolean;
  /** What is routed to it: address, label. */
  readonly routes?: readonly (readonly [address: string, label: number])[];
  /** Whom frames are bridged to: MAC, label. */
  readonly macs?: readonly (readonly [mac: string, label: number])[];
  /** Label of the network's floods there; none: it does not have the network. */
  readonly flood?: number;
}

/** A datapath on memory devices, with one network of guests. */
export class TestNetwork {
  readonly io = new MemoryIo();
  readonly toAgent = new FrameRing();
  readonly counters = Counters.inMemory(SLOTS.entries + SLOTS.overflow);
  readonly tables = new Tables(this.counters, new BridgeTable(SLOTS.entries, SLOTS.overflow));
  readonly flows: FlowTable;
  readonly dp: Datapath;
  readonly #reconciler: Reconciler;
  readonly #options: NetworkOptions;

  constructor(options: NetworkOptions = {}) {
    this.#options = options;
    this.flows = FlowTable.inMemory({ entries: options.flowEntries ?? 1024, overflow: options.flowOverflow ?? 64 });
    this.dp = new Datapath(this.io, this.tables, this.counters, this.toAgent, this.flows, {
      agentRate: 1000,
      agentBurst: options.agentBurst ?? 1000,
      underlayMtu: options.underlayMtu ?? 1500,
      flowsPerInterface: options.flowsPerInterface ?? 256,
      closeOnAnyReset: options.closeOnAnyReset ?? false,
      ...(options.outerDf !== undefined && { outerDf: options.outerDf }),
    });
    const replica = new Tables(null, new BridgeTable(SLOTS.entries, SLOTS.overflow));
    this.#reconciler = new Reconciler(replica, (changes: readonly TableChange[]) => {
      for (const change of changes) this.tables.apply(change);
    });
    this.#reconciler.reconcile('host', FIXED);
    this.configure({});
  }

  /** Changes the network under way. */
  configure(changes: Partial<NetworkOptions>): void {
    const options = { ...this.#options, ...changes };
    this.#reconciler.reconcile('policies', { ...EMPTY, acls: options.acls ?? [] });
    const vifs = Array.from({ length: options.guests ?? 2 }, (_, i) => i + 3);
    this.#reconciler.reconcile(
      'network',
      compileNetwork({
        name: 'default-domain:default-project:test',
        vrf: VRF,
        networkId: 10,
        mode: options.mode ?? 'l2_l3',
        floodUnknownUnicast: options.floodUnknownUnicast ?? false,
        ...OPEN_NETWORK,
        ...(options.acl !== undefined && { acl: options.acl }),
        ...(options.rpf !== undefined && { rpf: options.rpf }),
        mtu: options.mtu ?? 1450,
        hostMac: HOST_MAC,
        treeNexthop: TREE,
        localTreeNexthop: LOCAL_TREE,
        subnets: [
          subnet('inet', '5.5.5.0', 24, '5.5.5.1', '5.5.5.2'),
          subnet('inet6', 'fd00:5::', 64, 'fd00:5::1', 'fd00:5::2'),
        ],
        interfaces: vifs.map((vif) => ({
          vif,
          l3Nexthop: 20 + vif,
          l2Nexthop: 40 + vif,
          device: `tap${vif}`,
          mac: macOf(vif),
          addresses: [ipOf(vif), ip6Of(vif)],
          dhcp: options.enableDhcp ?? true,
          ...UNRESTRICTED_PORT,
          l3Label: 100 + vif,
          l2Label: 200 + vif,
          packetMode: options.packetMode === 'all' || (options.packetMode?.includes(vif) ?? false),
          portSecurity: true,
          ...options.port?.(vif),
        })),
      }),
    );
    if (options.hosts) this.#connect(options.hosts);
  }

  #connect(hosts: readonly OtherHost[]): void {
    this.#reconciler.reconcile('overlay', overlayOf(hosts, this.#options.guests ?? 2));
    const members = hosts.flatMap(({ peer, flood }) =>
      flood === undefined ? [] : [{ nexthop: tunnelTo(peer), label: flood }],
    );
    const flags = NH_FLAG.valid | NH_FLAG.multicast;
    const composite = { type: NH_TYPE.composite, family: 'bridge', vrf: VRF, oif: -1, rewrite: '' } as const;
    const evpn = { ...composite, id: EVPN, flags: flags | NH_FLAG.compositeEvpn, members };
    this.tables.apply({ table: 'nexthop', op: 'set', record: evpn });
    const branches = [LOCAL_TREE, EVPN].map((nexthop) => ({ nexthop, label: -1 }));
    this.tables.apply({ table: 'nexthop', op: 'set', record: { ...composite, id: TREE, flags, members: branches } });
  }

  /** Lets a frame arrive from a vif's port; returns what leaves. Lets `afterMs` pass before. */
  receive(
    vif: number,
    frame: Uint8Array,
    { vnet, afterMs = 0 }: { vnet?: Uint8Array; afterMs?: number } = {},
  ): SentFrame[] {
    this.io.clock[0] += afterMs;
    this.io.inject(vif, frame, vnet);
    const queued = this.dp.run(this.io.step(0));
    this.io.step(queued);
    this.dp.run(0);
    return this.io.sent.splice(0);
  }

  /** Sends a frame of the agent's to a vif; returns what leaves. */
  fromAgent(vif: number, frame: Uint8Array): SentFrame[] {
    inject(this.dp, { vif, command: 0, parameter: 0, frame });
    this.io.step(this.dp.queued);
    this.dp.run(0);
    return this.io.sent.splice(0);
  }

  /** Frames the agent was given, oldest first. */
  punted(): RingFrame[] {
    const frames: RingFrame[] = [];
    for (let frame = this.toAgent.take(); frame; frame = this.toAgent.take()) frames.push(frame);
    return frames;
  }

  drops(reason: DropReason): number {
    return this.counters.totalDrops(DROP[reason]);
  }

  vrfStat(stat: VrfStat): number {
    return this.counters.words[this.counters.vrfAt(VRF) + VRF_STAT[stat]];
  }

  /** received + generated + copied - sent - dropped - consumed: 0 in books that balance. */
  imbalance(): number {
    const { received, generated, copied, sent, dropped, consumed } = this.counters.books();
    return received + generated + copied - sent - dropped - consumed;
  }
}

function overlayOf(hosts: readonly OtherHost[], guests: number): Compiled {
  const vifs = Array.from({ length: guests }, (_, i) => i + 3);
  return {
    ...EMPTY,
    vifs: [
      {
        ...FIXED.vifs[0],
        id: VIF_ID.physical,
        type: VIF_TYPE.physical,
        name: 'eth0',
        mac: UNDERLAY_MAC,
        vrf: 0,
        mcastVrf: 0,
        mtu: 1500,
      },
    ],
    nexthops: [...hosts.map(tunnelNexthop), translation(BRIDGING, 0), translation(ROUTING, NH_FLAG.routeLookup)],
    peers: hosts.map((host) => ({ id: host.peer, address: addressOf(host), name: `host${host.peer}` })),
    labels: [
      ...vifs.map((vif) => ({ label: routedLabelOf(vif), nexthop: 20 + vif })),
      ...vifs.map((vif) => ({ label: bridgedLabelOf(vif), nexthop: 40 + vif })),
      { label: FLOOD_LABEL, nexthop: LOCAL_TREE },
      { label: ROUTING_LABEL, nexthop: ROUTING },
    ],
    vnis: [{ vni: VNI, nexthop: BRIDGING }],
    routes: hosts.flatMap(({ peer, routes = [] }) =>
      routes.map(([prefix, label]) => ({
        vrf: VRF,
        family: prefix.includes(':') ? ('inet6' as const) : ('inet' as const),
        prefix,
        length: prefix.includes(':') ? 128 : 32,
        nexthop: tunnelTo(peer),
        label,
        flags: ROUTE_FLAG.label | ROUTE_FLAG.proxy,
        stitchedMac: null,
        network: 10,
        groups: [],
      })),
    ),
    bridge: hosts.flatMap(({ peer, macs = [] }) =>
      macs.map(([mac, label]) => ({ vrf: VRF, mac, nexthop: tunnelTo(peer), label, flags: BRIDGE_FLAG.label })),
    ),
  };
}

const addressOf = ({ peer, destination }: OtherHost): string => destination ?? `192.168.200.${20 + peer}`;

function translation(id: number, flags: number): NexthopRecord {
  return {
    id,
    type: NH_TYPE.vrfTranslate,
    family: 'unspec',
    flags: NH_FLAG.valid | flags,
    vrf: VRF,
    oif: -1,
    rewrite: '',
    members: [],
  };
}

function tunnelNexthop(host: OtherHost): NexthopRecord {
  const { peer, encapsulation, mtu = 1500, isResolved = true } = host;
  const kind = { MPLSoUDP: NH_FLAG.tunnelMplsUdp, MPLSoGRE: NH_FLAG.tunnelGre, VXLAN: NH_FLAG.tunnelVxlan };
  return {
    id: tunnelTo(peer),
    type: NH_TYPE.tunnel,
    family: 'inet',
    flags: NH_FLAG.valid | NH_FLAG.etreeRoot | kind[encapsulation],
    vrf: 0,
    oif: VIF_ID.physical,
    rewrite: isResolved ? OUTER_ETHERNET : '',
    tunnel: {
      encapsulation,
      source: host.source ?? '192.168.200.11',
      destination: addressOf(host),
      peer,
      mtu,
      innerMac: encapsulation === 'VXLAN' ? INNER_MAC : null,
    },
    members: [],
  };
}

function subnet(
  family: 'inet' | 'inet6',
  prefix: string,
  length: number,
  gateway: string,
  service: string,
): NetworkPlan['subnets'][number] {
  return { family, prefix, length, gateway, service };
}
