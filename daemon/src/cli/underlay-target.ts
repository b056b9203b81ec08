/** Finds out which address a user means. */
import { isIP } from 'node:net';

import type { Daemon } from './client.js';
import { Exit, STATUS } from './exit.js';
import type { Net } from './tool.js';

/** A host on the underlay by the name others know it by, by its address, or by what the DNS says. Throws Exit. */
export async function underlayAddress(target: string, daemon: Daemon, net: Net): Promise<string> {
  if (isIP(target) !== 0) return target;
  // Without the daemon names of hosts are not known; those of the DNS are.
  const hosts = await daemon.hosts().catch(() => []);
  const known = hosts.find(({ name }) => name === target)?.tunnelAddress;
  if (known) return known;
  const found = await net.resolve(target).catch(() => undefined);
  if (found !== undefined) return found;
  throw new Exit(STATUS.refused, `no host '${target}' is known; name one of vrouter get hosts, or an address`);
}

/** Part of a VirtualMachineInterface. */
interface Vmi {
  readonly status?: { readonly addresses?: readonly string[] };
}

/** An address of a network, or the first one of an interface. Throws Exit. */
export async function overlayAddress(target: string, daemon: Daemon): Promise<string> {
  if (isIP(target) !== 0) return target;
  const [vmi] = (await daemon.objects('VirtualMachineInterface', target)) as Vmi[];
  const address = vmi.status?.addresses?.at(0);
  if (address !== undefined) return address;
  throw new Exit(STATUS.refused, `VirtualMachineInterface/${target} has no address; see vrouter get vmi`);
}

/** The family of an address. */
export const familyOf = (address: string): 4 | 6 => (isIP(address) === 6 ? 6 : 4);
