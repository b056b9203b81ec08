import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Namespace } from '../../../../integration/dist/lab/namespace.js';
import { sleep, type Background } from '../../../../integration/dist/lab/process.js';
import {
  addressedGuests,
  frameArguments,
  guestNamespaces,
  tool,
  type Counted,
  type Guest,
  type Load,
} from './guest.js';

/** A guest behind a TAP of the host that a program holds as QEMU would. Packets are counted where the program takes them. */
class HeldGuest implements Guest {
  readonly namespace: Namespace;
  readonly address: string;
  readonly mac: string;
  readonly counted: Counted;
  readonly #hypervisor: Background;

  constructor(inside: Guest, tap: { readonly namespace: Namespace; readonly device: string }, hypervisor: Background) {
    this.namespace = inside.namespace;
    this.address = inside.address;
    this.mac = inside.mac;
    this.counted = { ...tap, column: 'tx' };
    this.#hypervisor = hypervisor;
  }

  async generate(to: Guest, { bytes, seconds, rate }: Load): Promise<void> {
    this.#hypervisor.write([bytes, seconds, rate, ...frameArguments(this, to)].join(' ') + '\n');
    await sleep(seconds * 1000);
  }
}

/** TAPs of a host's namespace, and the MAC the guest has to use where it may not choose. */
export interface HeldTaps {
  readonly namespace: Namespace;
  readonly a: { readonly tap: string; readonly mac?: string };
  readonly b: { readonly tap: string; readonly mac?: string };
}

/** Starts a hypervisor's stand-in on each of two TAPs, with a guest behind it. */
export async function heldGuests(lab: Lab, id: string, taps: HeldTaps): Promise<{ a: Guest; b: Guest }> {
  const namespaces = await guestNamespaces(lab, id);
  const hypervisors: Background[] = [];
  for (const [i, { tap, mac }] of [taps.a, taps.b].entries()) {
    const guest = namespaces[i];
    const hypervisor = guest.spawn([tool('tap-guest'), taps.namespace.name, tap, guest.name]);
    await hypervisor.waitFor(/ready/);
    if (mac !== undefined) await guest.run(`ip link set eth0 address ${mac}`);
    hypervisors.push(hypervisor);
  }
  const { a, b } = await addressedGuests(namespaces);
  const held = (inside: Guest, { tap }: { tap: string }, hypervisor: Background): Guest =>
    new HeldGuest(inside, { namespace: taps.namespace, device: tap }, hypervisor);
  return { a: held(a, taps.a, hypervisors[0]), b: held(b, taps.b, hypervisors[1]) };
}
