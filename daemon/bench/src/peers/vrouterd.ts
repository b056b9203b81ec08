import type { Daemon } from '../../../../integration/dist/lab/daemon.js';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Namespace } from '../../../../integration/dist/lab/namespace.js';
import type { Contender, Path } from './contender.js';
import { ADDRESS, NETWORK, NamespaceGuest, guestNamespaces, settled } from './guest.js';
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

/** A network and an interface for each guest. */
function objects(network: string, attach: readonly [string, string]): string {
  const port = (name: 'a' | 'b', how: string): string => `---
apiVersion: vrouter/v1
kind: VirtualMachineInterface
metadata: { name: ${network}-${name} }
spec: { virtualNetwork: ${network}, addresses: [${ADDRESS[name]}], attach: ${how} }
`;
  return `apiVersion: vrouter/v1
kind: VirtualNetwork
metadata: { name: ${network} }
spec: { mtu: 1500, subnets: [{ prefix: ${NETWORK} }] }
${port('a', attach[0])}${port('b', attach[1])}`;
}

/** Ports inside the guests' namespaces, configured by the daemon. */
export async function inNamespaces(
  daemon: Daemon,
  network: string,
  port: 'tap' | 'veth',
  namespaces: readonly [Namespace, Namespace],
) {
  const attach = ({ name }: Namespace): string => `{ type: netns, netns: ${name}, port: ${port} }`;
  await daemon.apply(objects(network, [attach(namespaces[0]), attach(namespaces[1])]));
  const [a, b] = namespaces;
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
    await daemon.apply(objects('held', ['{ type: tap }', '{ type: tap }']));
    const port = async (name: string): Promise<{ tap: string; mac: string }> => {
      const text = await daemon.run('vrouter', `get VirtualMachineInterface ${name} -o json`);
      const { status } = JSON.parse(text) as { status: { device: string; mac: string } };
      return { tap: status.device, mac: status.mac };
    };
    const taps = { namespace: daemon.namespace, a: await port('held-a'), b: await port('held-b') };
    return through(daemon, await heldGuests(lab, 'vrouterd-held', taps));
  },
};
