import { createHash } from 'node:crypto';
import type { Attach } from '../control/virtual-machine-interface.js';
import type { HeldTap, HeldTaps } from './held-taps.js';
import type { Words } from './ip-batch.js';
import type { Link } from './kernel.js';
import {
  NO_COMMANDS,
  type PlanParts,
  type PortPlan,
  type PortSpec,
  deleteLink,
  netnsFile,
  nothing,
  packetPort,
  setAlias,
  setMtu,
  setUp,
} from './port-plan.js';
import { isIpv6 } from '../wire/addr.js';

/**
 * Longest super-frame a guest's interface is given, bytes. In a tunnel every segment has headers of its own, some 70 bytes, and the
 * whole has to stay a datagram of less than 64 KB: a longer one leaves as two, the second of a few segments.
 */
const GSO_MAX = 62_000;

type NetnsAttach = Extract<Attach, { type: 'netns' }>;

/**
 * A veth: `device` stays here with a packet socket on it, its peer is the guest's interface. A pair that is there is kept, and the
 * guest's end left as the guest has it, unless what it was configured with has changed.
 */
export function planVeth(spec: PortSpec, attach: NetnsAttach, { seen, kernel, marks }: PlanParts): PortPlan {
  const { device, mtu } = spec;
  const { netns, ifName } = attach;
  const outer = marks.claim(seen.host.get(device), device);
  const inner = marks.claim(seen.inside(netns).get(ifName), device, netns);
  const paired = isPair(outer, inner);
  const kept = paired ? inner : undefined;
  const alias = `${marks.of(device)} ${digestOf(spec, attach)}`;
  const changed = kept?.alias !== alias;
  const notConfigured = { host: [], guest: inner ? [setAlias(ifName, marks.of(device))] : [] };
  const queues: Words = attach.queues === undefined ? [] : ['numtxqueues', attach.queues, 'numrxqueues', attach.queues];
  const peer: Words = ['peer', 'name', ifName, 'address', spec.mac, 'mtu', mtu, ...queues, 'netns', netnsFile(netns)];
  return {
    spec,
    sweep: paired
      ? NO_COMMANDS
      : {
          host: outer ? [deleteLink(device)] : [],
          guest: inner && inner.kind !== 'veth' ? [deleteLink(ifName)] : [],
        },
    open: nothing,
    make: paired
      ? setMtu(outer, device, mtu)
      : [
          ['link', 'add', 'name', device, 'mtu', mtu, ...queues, 'type', 'veth', ...peer],
          setAlias(device, marks.of(device)),
        ],
    isolate: device,
    settle() {
      // A new pair has every offload, a kept one those it was made with or the guest has chosen since.
      if (changed && (paired || !attach.offloads)) {
        kernel.setLinkOffloads(device, attach.offloads);
        kernel.setLinkOffloads(ifName, attach.offloads, netnsFile(netns));
      }
      // Of what the guest leaves to us, our packet socket cannot tell more.
      kernel.limitLinkOffloads(ifName, netnsFile(netns));
    },
    raise: setUp(paired ? outer : undefined, device),
    netns: netnsFile(netns),
    configure: changed ? configuration(spec, attach, alias) : [],
    finish: (host) => packetPort(host, device, attach.offloads),
    abandon: () => (paired ? notConfigured : { host: [deleteLink(device)], guest: [] }),
  };
}

/**
 * A TAP that is the guest's interface itself, its descriptor held here. It is persistent, so that the guest keeps it with its
 * configuration while no daemon runs; a descriptor already held is used again.
 */
export function planNetnsTap(
  spec: PortSpec,
  attach: NetnsAttach,
  { seen, kernel, marks }: PlanParts,
  held: HeldTaps,
): PortPlan {
  const { device } = spec;
  const { ifName, offloads: vnetHeader } = attach;
  const netns = netnsFile(attach.netns);
  const namespace = kernel.namespaceOf(netns);
  // A descriptor keeps the namespace it was opened in alive, even one that was deleted.
  if (held.get(device)?.namespace !== namespace) held.letGo(device);
  const outer = seen.host.get(device);
  const inner = marks.claim(seen.inside(attach.netns).get(ifName), device, attach.netns);
  const isTap = inner?.kind === 'tun';
  const alias = `${marks.of(device)} ${digestOf(spec, attach)}`;
  const before = held.get(device);
  const usable = before?.ifindex === inner?.ifindex && before?.vnetHeader === vnetHeader ? before : undefined;
  const notConfigured = { host: [], guest: inner ? [setAlias(ifName, marks.of(device))] : [] };
  let opened: HeldTap | undefined;
  return {
    spec,
    sweep: {
      // A veth of this port: its other end goes with it.
      host: outer && marks.isOurs(outer, device) ? [deleteLink(device)] : [],
      guest: inner && !isTap && inner.kind !== 'veth' ? [deleteLink(ifName)] : [],
    },
    open() {
      if (usable) return;
      held.letGo(device);
      const routeSocket = kernel.openRouteSocket(netns);
      try {
        const { fd, ifindex } = kernel.openTap({ netns, name: ifName, vnetHeader });
        opened = { fd, ifindex, namespace, vnetHeader, routeSocket };
      } catch (cause) {
        kernel.closeFd(routeSocket);
        if ((cause as NodeJS.ErrnoException).code !== 'EBUSY') throw cause;
        throw new Error(`${ifName} in namespace ${attach.netns} is held by another process; end that one`, { cause });
      }
    },
    make: [],
    isolate: null,
    settle: nothing,
    raise: [],
    netns,
    configure: isTap && inner.alias === alias ? [] : configuration(spec, attach, alias),
    finish() {
      const tap = opened ?? usable;
      if (!tap) throw new Error(`${ifName} in namespace ${attach.netns} was not opened`);
      kernel.setPersist(tap.fd, true);
      held.hold(device, tap);
      return { kind: 'tap', fd: kernel.duplicateFd(tap.fd), vnetHeader };
    },
    abandon() {
      if (opened) for (const fd of [opened.routeSocket, opened.fd]) kernel.closeFd(fd);
      return notConfigured;
    },
  };
}

function isPair(outer: Link | undefined, inner: Link | undefined): boolean {
  if (outer?.kind !== 'veth' || inner?.kind !== 'veth') return false;
  return outer.peer === inner.ifindex && inner.peer === outer.ifindex;
}

/** A digest of what a guest's interface is configured with. */
function digestOf(spec: PortSpec, attach: NetnsAttach): string {
  const { mac, mtu, addresses, gateways } = spec;
  const { configure, offloads } = attach;
  const digest = createHash('sha256').update(JSON.stringify([mac, mtu, addresses, gateways, configure, offloads]));
  return digest.digest('hex').slice(0, 16);
}

/** Brings the guest's interface up with what it needs; the alias that says so comes last. */
function configuration(spec: PortSpec, attach: NetnsAttach, alias: string): readonly Words[] {
  const { mac, mtu, addresses, gateways } = spec;
  const { ifName } = attach;
  const link: Words = ['link', 'set', 'dev', ifName, 'address', mac, 'mtu', mtu, 'gso_max_size', GSO_MAX, 'up'];
  if (!attach.configure) return [link, setAlias(ifName, alias)];
  return [
    ['link', 'set', 'dev', 'lo', 'up'],
    link,
    ['address', 'flush', 'dev', ifName, 'scope', 'global'],
    ...addresses.map(({ address, prefixLength }): Words => {
      // A duplicate is detected where addresses are assigned; until detection ends, the guest could not be reached.
      const options = isIpv6(address) ? ['nodad'] : [];
      return ['address', 'add', `${address}/${prefixLength}`, 'dev', ifName, ...options];
    }),
    ...gateways.map((gateway): Words => ['route', 'replace', 'default', 'via', gateway, 'dev', ifName]),
    setAlias(ifName, alias),
  ];
}
