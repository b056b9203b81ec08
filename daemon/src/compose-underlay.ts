import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import {
  closeFd,
  LinkMonitor,
  listAddresses,
  listLinks,
  listNeighbours,
  openPacketSocket,
  openRouteQuery,
  RouteMonitor,
  routeTo,
  useNeighbour,
} from 'packet-io';
import type { Logger } from 'pino';
import { runCommand } from './agent/command.js';
import { physicalVif } from './agent/fixed-vifs.js';
import type { Reconciler } from './agent/reconcile.js';
import { KernelUnderlay, type Later, type UnderlayKernel } from './agent/underlay.js';
import { underlayFilter } from './agent/underlay-filter.js';
import { UnderlayPort } from './agent/underlay-port.js';
import type { Config } from './config.js';
import { VIF_ID } from './tables/records.js';
import type { WorkerHost } from './worker-host.js';

/** What connects this host with the underlay, while the daemon runs. */
export interface UnderlayParts {
  readonly underlay: KernelUnderlay;
  /** Speed in Mbit/s and duplex of the underlay interface, if it tells them. */
  link(): { speed: number; duplex: 0 | 1 } | undefined;
  /** The datapath lost the interface of a vif; false: the vif is none of these. */
  portLost(vif: number, reason: string): boolean;
  /** Compares what was set up with what should be. */
  audit(): void;
  stop(): Promise<void>;
}

const later: Later = {
  soon: (work) => void setImmediate(work),
  after(ms, work) {
    const timer = setTimeout(work, ms).unref();
    return () => {
      clearTimeout(timer);
    };
  },
  now: () => performance.now(),
};

/** Connects the datapath with the underlay, and follows what the kernel tells of it. Needs the worker to have been made. */
export function startUnderlay(
  { tunnel }: Pick<Config, 'tunnel'>,
  host: WorkerHost,
  reconciler: Reconciler,
  log: Logger,
): UnderlayParts {
  const socket = openRouteQuery();
  const underlay = new KernelUnderlay(tunnel, kernelOf(socket), later);
  const { address } = tunnel;
  const filter = underlayFilter(address);
  const port = new UnderlayPort({
    address,
    run: runCommand,
    log,
    datapath: {
      attach({ ifindex }) {
        const fd = openPacketSocket(ifindex, { vnetHeader: true, ring: true, filter });
        host.attach({ vif: VIF_ID.physical, device: 'packet', fd, vnetHeader: true });
      },
      detach() {
        host.detach(VIF_ID.physical);
      },
      show(link) {
        reconciler.reconcile('underlay', physicalVif(link, address));
      },
    },
  });
  underlay.onLink((link) => {
    port.linkIs(link);
  });
  const monitors = follow(underlay);
  // What changed before the monitors began would not be told.
  underlay.reread();
  port.linkIs(underlay.link);
  return {
    underlay,
    link: () => (underlay.link ? speedOf(underlay.link.name) : undefined),
    portLost(vif, reason) {
      if (vif === VIF_ID.physical) port.lost(reason, underlay.link);
      return vif < VIF_ID.firstVirtual;
    },
    audit() {
      port.audit(underlay.link);
    },
    async stop() {
      for (const monitor of monitors) monitor.close();
      underlay.close();
      await port.close();
      closeFd(socket);
    },
  };
}

function kernelOf(socket: number): UnderlayKernel {
  return {
    links: () => listLinks(),
    addresses: () => listAddresses(socket),
    neighbours: () => listNeighbours(socket),
    routeTo: (destination, source) => routeTo(socket, destination, source),
    useNeighbour: (ifindex, neighbour) => {
      useNeighbour(socket, ifindex, neighbour);
    },
  };
}

function follow(underlay: KernelUnderlay): readonly { close(): void }[] {
  return [
    new LinkMonitor(() => {
      underlay.linksChanged();
    }),
    new RouteMonitor((event) => {
      switch (event.type) {
        case 'overrun':
          return underlay.reread();
        case 'newroute':
        case 'delroute':
          return underlay.routesChanged();
        case 'newaddress':
        case 'deladdress':
          return underlay.linksChanged();
        default:
          return underlay.neighbourIs(event.neighbour, event.type === 'delneighbour');
      }
    }),
  ];
}

/** What sysfs knows of an interface's speed; a device that is down, or has none, tells nothing. */
function speedOf(name: string): { speed: number; duplex: 0 | 1 } | undefined {
  try {
    const read = (what: string): string => readFileSync(`/sys/class/net/${name}/${what}`, 'utf8').trim();
    const speed = Number(read('speed'));
    return speed > 0 ? { speed, duplex: read('duplex') === 'full' ? 1 : 0 } : undefined;
  } catch {
    return undefined;
  }
}
