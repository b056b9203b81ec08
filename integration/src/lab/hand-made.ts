import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.js';

const SCRIPT = fileURLToPath(new URL('../../src/lab/hand-made.py', import.meta.url));
/** scapy is a package of Debian's own Python, which need not be the first in the path. */
const PYTHON = '/usr/bin/python3';

type Kind = 'gre' | 'gre-key-checksum' | 'gre-other' | 'udp' | 'udp-old' | 'udp-no-checksum' | 'vxlan' | 'garbage';

/** A ping in a tunnel. `id`: its identifier, by which it is known again. */
export interface HandMade {
  readonly kind: Kind;
  /** Label, or with VXLAN the network identifier. */
  readonly label: number;
  /** Outer source address. */
  readonly source: string;
  readonly inner: { readonly source: string; readonly destination: string };
  readonly id: number;
}

/** Sends packets out of `fabric0` of a namespace, made by scapy, to the outer address and MAC of a host. */
export async function sendHandMade(
  from: Namespace,
  to: { readonly address: string; readonly mac: string },
  packets: readonly HandMade[],
): Promise<void> {
  const order = {
    interface: 'fabric0',
    mac: await from.mac('fabric0'),
    toMac: to.mac,
    destination: to.address,
    packets,
  };
  await from.run([PYTHON, SCRIPT, JSON.stringify(order)]);
}
