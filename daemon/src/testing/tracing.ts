import type { GuestConfig } from '../agent/punt.js';
import { Tracer } from '../datapath/tracer.js';
import type { LiveSource } from '../trace/live.js';
import type { TracingParts } from '../trace/tracing.js';
import type { TestNetwork } from './network.js';

/** Full names of the interfaces behind vifs. */
export const TRACED_NAMES: Readonly<Record<number, string>> = {
  3: 'default-domain:default-project:a',
  4: 'other:project:b',
};
const GUEST: GuestConfig = {
  routed: true,
  mtu: 1450,
  dhcp: null,
  subnets: [
    { prefix: '5.5.5.0/24', gateway: '5.5.5.1', serviceAddress: '5.5.5.2' },
    { prefix: 'fd00:5::/64', gateway: 'fd00:5::1', serviceAddress: 'fd00:5::2' },
  ],
};

/** What traces of a network of memory devices are made from. */
export function tracingParts(net: TestNetwork, changes: Partial<TracingParts> = {}): TracingParts {
  return {
    tables: net.tables,
    flows: net.flows,
    counters: net.counters,
    options: net.dp.options,
    realiser: {
      stateOf: (name) => {
        const vif = Object.keys(TRACED_NAMES).find((id) => TRACED_NAMES[Number(id)] === name);
        if (name.endsWith(':broken')) return { vif: -1, state: 'failed', reason: 'no namespace a' };
        return vif === undefined ? undefined : { vif: Number(vif), state: 'active', reason: '' };
      },
      nameOf: (vif) => TRACED_NAMES[vif],
      guestOf: () => GUEST,
    },
    worker: workerOf(net),
    bridgeSlots: 320,
    ...changes,
  };
}

/** A worker that is a network of memory devices. */
function workerOf(net: TestNetwork): LiveSource {
  return {
    get tracing() {
      return net.dp.tracer !== null;
    },
    traceOn: (filter, count, onRecord) => {
      let left = count;
      net.dp.tracer = new Tracer(net.dp, filter, (record) => {
        onRecord(record);
        if (--left === 0) net.dp.tracer = null;
      });
      return Promise.resolve();
    },
    traceOff: () => {
      net.dp.tracer = null;
    },
  };
}
