import type { TableChange } from '../tables/records.js';
import type { FlowTableSize } from '../tables/flow.js';
import type { DatapathOptions } from './datapath.js';
import type { FlowOp } from './flow-upkeep.js';
import type { TraceFilter, TraceRecord } from './tracer.js';

/** What the main thread tells the worker, in order. `sequence` counts up by one; the worker publishes the last one it carried out. */
export type WorkerCommand =
  | { readonly kind: 'changes'; readonly sequence: number; readonly changes: readonly TableChange[] }
  | { readonly kind: 'attach'; readonly sequence: number; readonly port: PortHandle }
  | { readonly kind: 'detach'; readonly sequence: number; readonly vif: number }
  /** Done to a pair of flow entries, unless the place is another's by now. */
  | {
      readonly kind: 'flow';
      readonly sequence: number;
      readonly op: FlowOp;
      readonly index: number;
      readonly generation: number;
    }
  /** Flow pairs to remove if they were idle that long: (index, generation, idle ms) each. */
  | { readonly kind: 'age'; readonly sequence: number; readonly pairs: Int32Array }
  /** Packets to trace, so many; null: none any more. */
  | {
      readonly kind: 'trace';
      readonly sequence: number;
      readonly filter: TraceFilter | null;
      readonly count: number;
    }
  | { readonly kind: 'stop'; readonly sequence: number };

/** An open port: descriptors are valid in every thread of the process. */
export interface PortHandle {
  readonly vif: number;
  readonly device: 'tap' | 'packet';
  readonly fd: number;
  readonly vnetHeader: boolean;
}

/** What the worker tells the main thread. */
export type WorkerEvent =
  /** The worker runs. */
  | { readonly kind: 'ready' }
  /** Commands were carried out, up to the sequence number in the counters. */
  | { readonly kind: 'applied' }
  /** Frames wait in the ring to the agent. */
  | { readonly kind: 'frames' }
  /** A packet was traced for the command with this sequence number. */
  | { readonly kind: 'traced'; readonly sequence: number; readonly record: TraceRecord }
  /** A port could not be attached, or the device behind it is gone. */
  | { readonly kind: 'portLost'; readonly vif: number; readonly reason: string };

/** What the worker starts with. */
export interface WorkerStart {
  readonly countersPath: string;
  readonly flowsPath: string;
  readonly flowSize: FlowTableSize;
  /** Memory of the SessionEvents. */
  readonly sessionEvents: SharedArrayBuffer;
  /** Event descriptor of the main thread that announces commands and frames for the worker. */
  readonly wakeFd: number;
  readonly toAgent: SharedArrayBuffer;
  readonly fromAgent: SharedArrayBuffer;
  readonly options: DatapathOptions;
}
