import type { TableChange } from '../tables/records.js';
import type { DatapathOptions } from './datapath.js';

/** What the main thread tells the worker, in order. `sequence` counts up by one; the worker publishes the last one it carried out. */
export type WorkerCommand =
  | { readonly kind: 'changes'; readonly sequence: number; readonly changes: readonly TableChange[] }
  | { readonly kind: 'attach'; readonly sequence: number; readonly port: PortHandle }
  | { readonly kind: 'detach'; readonly sequence: number; readonly vif: number }
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
  /** A port could not be attached, or the device behind it is gone. */
  | { readonly kind: 'portLost'; readonly vif: number; readonly reason: string };

/** What the worker starts with. */
export interface WorkerStart {
  readonly countersPath: string;
  /** Event descriptor of the main thread that announces commands and frames for the worker. */
  readonly wakeFd: number;
  readonly toAgent: SharedArrayBuffer;
  readonly fromAgent: SharedArrayBuffer;
  readonly options: DatapathOptions;
}
