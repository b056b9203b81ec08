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

  /** `ACL 5 (web egress)`: the network, or the security groups, whose list it is. */
  acl(id: number): string {
    const name = this.tables.acls[id]?.record.name;
    return name === undefined ? `ACL ${id}` : `ACL ${id} (${name.split(', ').map(shortName).join(', ')})`;
  }

  /** `VRF 2 (blue)`. */
  vrf(id: number): string {
    const name = this.tables.vrfs[id]?.record.name;
    return name === undefined ? `VRF ${id}` : `VRF ${id} (${shortName(name)})`;
  }
}
