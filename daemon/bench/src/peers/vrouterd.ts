import type { Daemon } from '../../../../integration/dist/lab/daemon.js';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Namespace } from '../../../../integration/dist/lab/namespace.js';
import { inside, network, port, portOf, type Document } from '../../../../integration/dist/lab/topology.js';
import type { Contender, Path } from './contender.js';
import { ADDRESS, NETWORK, NamespaceGuest, guestNamespaces, settled, type Guest } from './guest.js';
import { heldGuests } from './held-guest.js';

/** Tells on standard output, line by line, of every garbage collection and deoptimisation. It costs nothing while there is none. */
const TRACING = ['stdbuf', '-oL', process.execPath, '--trace-gc', '--trace-deopt'];

/** The daemon that is compared: one for all kinds of ports. */
const daemons = new WeakMap<Lab, Promise<Daemon>>();

function daemonOf(lab: Lab): Promise<Daemon> {
  const daemon = daemons.get(lab) ?? lab.daemon({ host: 'vrouterd', prefix: TRACING });
  daemons.set(lab, daemon);
  return daemon;
}

function through(daemon: Daemon, guests: Pick<Path, 'a' | 'b'>): Path {
  return { ...guests, forwarder: daemon.pid, traces: () => daemon.output };
}

/** A network of its own, and an interface for each guest. */
function objects(
  name: string,
  attach: Readonly<Record<'a' | 'b', Document>>,
  more: Document = {},
): readonly Document[] {
  return [
    network(name, { mtu: 1500, subnets: [{ prefix: NETWORK }] }),
    port(`${name}-a`, name, attach.a, { addresses: [ADDRESS.a], ...more }),
    port(`${name}-b`, name, attach.b, { addresses: [ADDRESS.b], ...more }),
  ];
}

/** Ports inside the guests' namespaces, configured by the daemon; `more` is said of both interfaces. */
export async function inNamespaces(
  daemon: Daemon,
  name: string,
  kind: 'tap' | 'veth',
  [a, b]: readonly [Namespace, Namespace],
  more: Document = {},
): Promise<{ a: Guest; b: Guest }> {
  const how = { port: kind, configure: true };
  await daemon.apply(...objects(name, { a: inside(a, how), b: inside(b, how) }, more));
  return settled({
    a: new NamespaceGuest(a, ADDRESS.a, await a.mac()),
    b: new NamespaceGuest(b, ADDRESS.b, await b.mac()),
  });
}

export const vrouterdTap: Contender = {
  id: 'vrouterd-tap',
  title: 'vrouterd, TAP',
  async build(lab): Promise<Path> {
    const daemon = await daemonOf(lab);
    const guests = await inNamespaces(daemon, 'tap', 'tap', await guestNamespaces(lab, 'vrouterd-tap'));
    return through(daemon, guests);
  },
};

export const vrouterdVeth: Contender = {
  id: 'vrouterd-veth',
  title: 'vrouterd, veth',
  async build(lab): Promise<Path> {
    const daemon = await daemonOf(lab);
    const guests = await inNamespaces(daemon, 'veth', 'veth', await guestNamespaces(lab, 'vrouterd-veth'));
    return through(daemon, guests);
  },
};

export const vrouterdHeld: Contender = {
  id: 'vrouterd-held',
  title: 'vrouterd, TAP of QEMU',
  async build(lab): Promise<Path> {
    const daemon = await daemonOf(lab);
    await daemon.apply(...objects('held', { a: { type: 'tap' }, b: { type: 'tap' } }));
    const held = async (name: string): Promise<{ tap: string; mac: string }> => {
      const { device, mac } = await portOf(daemon, name);
      return { tap: device, mac };
    };
    const taps = { namespace: daemon.namespace, a: await held('held-a'), b: await held('held-b') };
    return through(daemon, await heldGuests(lab, 'vrouterd-held', taps));
  },
};
