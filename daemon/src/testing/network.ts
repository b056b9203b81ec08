import { compileNetwork, EMPTY, FIXED, type InterfacePlan, type NetworkPlan } from '../agent/compile.js';
import { Reconciler } from '../agent/reconcile.js';
import { Datapath } from '../datapath/datapath.js';
import { inject } from '../datapath/inject.js';
import { MemoryIo, type SentFrame } from '../io/memory.js';
import { DROP, type DropReason } from '../packet/drop.js';
import { FrameRing, type RingFrame } from '../packet/frame-ring.js';
import { BridgeTable } from '../tables/bridge.js';
import { Counters, VRF_STAT, type VrfStat } from '../tables/counters.js';
import { FlowTable } from '../tables/flow.js';
import type { AclRecord, TableChange } from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import { OPEN_NETWORK, UNRESTRICTED_PORT } from './plans.js';

/** A bridge table small enough to be made for every test. */
const SLOTS = { entries: 256, overflow: 64 } as const;

/** The network of a test: 5.5.5.0/24 and fd00:5::/64 in VRF 7, one guest at .3 and ::3 behind vif 3, the next at .4 behind vif 4 ... */
const VRF = 7;
export const GATEWAY_MAC = '00:00:5e:00:01:00';
export const HOST_MAC = '0c:c4:7a:59:62:5c';
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
        treeNexthop: 88,
        localTreeNexthop: 89,
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
          packetMode: options.packetMode === 'all' || (options.packetMode?.includes(vif) ?? false),
          portSecurity: true,
          ...options.port?.(vif),
        })),
      }),
    );
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

function subnet(
  family: 'inet' | 'inet6',
  prefix: string,
  length: number,
  gateway: string,
  service: string,
): NetworkPlan['subnets'][number] {
  return { family, prefix, length, gateway, service };
}
