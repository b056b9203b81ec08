import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import {
  closeFd,
  FramePipe,
  LinkMonitor,
  listAddresses,
  listLinks,
  listNeighbours,
  listRoutes,
  openPacketSocket,
  openRouteQuery,
  RouteMonitor,
  routeTo,
  useNeighbour,
} from 'packet-io';
import type { Logger } from 'pino';
import { runCommand } from './agent/command.js';
import { hostVif, physicalVif } from './agent/fixed-vifs.js';
import { FabricPrefixes } from './agent/fabric-prefixes.js';
import { type HostLink, HostPort } from './agent/host-port.js';
import { type HostInterfaces, HostRoutes } from './agent/host-routes.js';
import { kernel, settings } from './agent/kernel.js';
import { readTooBig } from './agent/path-mtu.js';
import type { PortMarks } from './agent/port-mark.js';
import { openGreSocket, RawGre } from './agent/raw-gre.js';
import type { RealiserParts } from './agent/realiser.js';
import type { Reconciler } from './agent/reconcile.js';
import { KernelUnderlay, type Later, type UnderlayKernel, type UnderlayLink } from './agent/underlay.js';
import { underlayFilter } from './agent/underlay-filter.js';
import { UnderlayPort } from './agent/underlay-port.js';
import type { Config } from './config.js';
import { VIF_ID } from './tables/records.js';
import type { WorkerHost } from './worker-host.js';

/** What connects this host with the underlay, while the daemon runs. */
export interface UnderlayParts {
  readonly underlay: KernelUnderlay;
  /** The underlay as a network. */
  readonly fabric: RealiserParts['fabric'];
  /** Calls back when its prefixes changed. */
  onPrefixes(listener: () => void): void;
  /** Once the interface into the host was tried. */
  readonly ready: Promise<void>;
  /** Speed in Mbit/s and duplex of the underlay interface, if it tells them. */
  link(): { speed: number; duplex: 0 | 1 } | undefined;
  /** The datapath lost the interface of a vif; false: the vif is none of these. */
  portLost(vif: number, reason: string): boolean;
  /** An ICMP error about a tunnel packet arrived. */
  icmpError(frame: Uint8Array): void;
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

/** What this needs of the rest of the daemon. */
export interface UnderlaySurroundings {
  readonly config: Config;
  readonly host: WorkerHost;
  readonly reconciler: Reconciler;
  readonly marks: PortMarks;
  /** Largest IP packet of networks that name none, bytes. */
  readonly networkMtu: number;
  readonly log: Logger;
}

/** Connects the datapath with the underlay, and follows what the kernel tells of it. Needs the worker to have been made. */
export function startUnderlay(surroundings: UnderlaySurroundings): UnderlayParts {
  const { config, log } = surroundings;
  const { tunnel } = config;
  const socket = openRouteQuery();
  const underlay = new KernelUnderlay(tunnel, kernelOf(socket), later);
  const port = underlayPort(surroundings);
  const interfaces = (): HostInterfaces => ({
    host: hostPort.link?.name ?? null,
    underlay: underlay.link?.name ?? null,
  });
  const hostRoutes = hostRoutesOf(surroundings);
  const hostPort: HostPort = portOfHost(surroundings, (link) => {
    hostRoutes.interfacesAre({ ...interfaces(), host: link.name });
  });
  const routesThrough = (link: UnderlayLink | null) => link && { ifindex: link.ifindex, routes: listRoutes(socket) };
  const prefixes = new FabricPrefixes(() => routesThrough(underlay.link), later);
  underlay.onLink((link) => {
    port.linkIs(link);
    hostRoutes.interfacesAre(interfaces());
    prefixes.changed();
  });
  const monitors = follow(underlay, prefixes);
  // What changed before the monitors began would not be told.
  underlay.reread();
  prefixes.changed();
  port.linkIs(underlay.link);
  return {
    underlay,
    fabric: { prefixes: () => prefixes.all, connect: hostRoutes.connect.bind(hostRoutes) },
    onPrefixes: (listener) => {
      prefixes.onChange(listener);
    },
    ready: hostPort.ensure(),
    link: () => (underlay.link ? speedOf(underlay.link.name) : undefined),
    portLost(vif, reason) {
      if (vif === VIF_ID.physical) port.lost(reason, underlay.link);
      if (vif === VIF_ID.host) void hostPort.lost();
      return vif < VIF_ID.firstVirtual;
    },
    icmpError: (frame) => {
      learn(frame, tunnel.address, underlay, log);
    },
    audit() {
      port.audit(underlay.link);
      void hostPort.ensure();
      hostRoutes.audit();
    },
    async stop() {
      for (const monitor of monitors) monitor.close();
      underlay.close();
      prefixes.close();
      await hostRoutes.close();
      await hostPort.close();
      await port.close();
      closeFd(socket);
    },
  };
}

/** Takes note of what an ICMP error says of the path to another host. */
function learn(frame: Uint8Array, address: string, underlay: KernelUnderlay, log: Logger): void {
  const told = readTooBig(frame, address);
  if (!told) return;
  log.info(told, 'the path to another host takes no longer packets');
  underlay.learnMtu(told.destination, told.mtu);
}

/** `vif0/0`. */
function underlayPort({ config, host, reconciler, log }: UnderlaySurroundings): UnderlayPort {
  const { address, driver } = config.tunnel;
  const filter = underlayFilter(address);
  let gre: { close(): void } | null = null;
  return new UnderlayPort({
    address,
    isolate: driver === 'packet',
    run: runCommand,
    log,
    datapath: {
      attach({ ifindex, mac }) {
        if (driver === 'raw') {
          gre = attachGre(address, mac, host, log);
          return;
        }
        const fd = openPacketSocket(ifindex, { vnetHeader: true, ring: true, filter });
        host.attach({ vif: VIF_ID.physical, device: 'packet', fd, vnetHeader: true });
      },
      detach() {
        host.detach(VIF_ID.physical);
        gre?.close();
        gre = null;
      },
      show(link) {
        reconciler.reconcile('underlay', physicalVif(link, address));
      },
    },
  });
}

/** Tunnels through a raw socket instead of a packet socket. */
function attachGre(address: string, mac: string, host: WorkerHost, log: Logger): { close(): void } {
  const socket = openGreSocket();
  const pipe = new FramePipe((frame) => {
    gre.send(frame);
  });
  const gre = new RawGre({ address, mac, socket, receive: (frame) => pipe.write(frame), log });
  host.attach({ vif: VIF_ID.physical, device: 'tap', fd: pipe.fd, vnetHeader: false });
  return {
    close() {
      gre.close();
      pipe.close();
    },
  };
}

/** `vif0/1`. */
function portOfHost(
  { config, host, reconciler, marks, networkMtu, log }: UnderlaySurroundings,
  onLink: (link: HostLink) => void,
): HostPort {
  return new HostPort({
    name: config.datapath.hostInterface,
    mtu: networkMtu,
    run: runCommand,
    kernel,
    settings,
    marks,
    log,
    datapath: {
      attach(fd, link) {
        reconciler.reconcile('vhost0', hostVif(link.name, link.mac, link.mtu));
        host.attach({ vif: VIF_ID.host, device: 'tap', fd, vnetHeader: true });
        onLink(link);
      },
      detach() {
        host.detach(VIF_ID.host);
      },
    },
  });
}

/** What lets the host's own stack pass packets between guests and the underlay. */
function hostRoutesOf({ config, log }: UnderlaySurroundings): HostRoutes {
  const file = join(config.stateDir, 'forwarding.json');
  return new HostRoutes({ address: config.tunnel.address, file, run: runCommand, settings, log });
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

function follow(underlay: KernelUnderlay, prefixes: FabricPrefixes): readonly { close(): void }[] {
  return [
    new LinkMonitor(() => {
      underlay.linksChanged();
    }),
    new RouteMonitor((event) => {
      if (!event.type.endsWith('neighbour')) prefixes.changed();
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
