import { shortName } from '../control/names.js';
import type { FlowTable } from '../tables/flow.js';
import { VIF_ID } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';

/** What a trace was made of, to call things by their names. */
export interface TraceSources {
  readonly tables: Tables;
  readonly flows: FlowTable;
  /** Full name of the virtual machine interface behind a vif. */
  readonly nameOf: (vif: number) => string | undefined;
  /** Index operators know a flow entry by; undefined: nobody does. */
  readonly indexOf: (index: number) => number | undefined;
}

/** What a trace calls things. */
export class TraceNames {
  readonly tables: Tables;
  readonly flows: FlowTable;
  readonly #sources: TraceSources;

  constructor(sources: TraceSources) {
    this.tables = sources.tables;
    this.flows = sources.flows;
    this.#sources = sources;
  }

  vmiOf(vif: number): string | undefined {
    return this.#sources.nameOf(vif);
  }

  /** Index of a flow entry as `flow` shows it; undefined: it is of this trace only. */
  flowIndex(index: number): number | undefined {
    return this.#sources.indexOf(index);
  }

  /** `vif0/3 tapaaf088f0-65 (vm1)`. */
  vif(id: number): string {
    if (id === VIF_ID.agent) return 'vif0/2 (agent)';
    const device = this.tables.vifs.get(id)?.record.name;
    const name = this.vmiOf(id);
    return [`vif0/${id}`, ...(device ? [device] : []), ...(name === undefined ? [] : [`(${shortName(name)})`])].join(
      ' ',
    );
  }

  /** `host-b (192.168.200.13) by MPLSoUDP, label 57`: where a tunnel's nexthop leads with this label or VNI. */
  tunnel(nexthop: number, label: number): string {
    const tunnel = this.tables.nexthops.get(nexthop)?.record.tunnel;
    if (!tunnel) return `nexthop ${nexthop}, which is gone`;
    const { encapsulation, destination, peer } = tunnel;
    return `${this.peer(peer) ?? destination} by ${encapsulation}, ${encapsulation === 'VXLAN' ? 'VNI' : 'label'} ${label}`;
  }

  /** `host-b (192.168.200.13)`: another host; undefined: it is not known. */
  peer(id: number): string | undefined {
    const peer = this.tables.peers.get(id);
    return peer && `${peer.name} (${peer.address})`;
  }

  /** `ACL 5 (web egress)`: the network, or the security groups, whose list it is. */
  acl(id: number): string {
    const name = this.tables.acls[id]?.record.name;
    return name === undefined ? `ACL ${id}` : `ACL ${id} (${name.split(', ').map(shortName).join(', ')})`;
  }

  /** `mirror 0 (dpi)`. */
  mirror(id: number): string {
    const name = this.tables.mirrors.get(id)?.record.name;
    return name === undefined ? `mirror ${id}` : `mirror ${id} (${shortName(name)})`;
  }

  /** `VRF 2 (blue)`. */
  vrf(id: number): string {
    const name = this.tables.vrfs[id]?.record.name;
    return name === undefined ? `VRF ${id}` : `VRF ${id} (${shortName(name)})`;
  }
}
