/**
 * Keeps the host's own stack away from tunnel packets, which it would answer with ICMP errors: behind the packet socket an ingress
 * chain of nftables on the underlay interface drops those addressed to us. Everything else passes.
 */
import type { Run } from './command.js';
import { chainName, nft, removeChains, TABLE } from './isolation.js';
import * as gre from '../wire/gre.js';
import { TUNNEL_PORTS } from '../wire/tunnel-ports.js';
import { isIpv6 } from '../wire/addr.js';

/** Drops tunnel packets to an address of ours behind the packet socket. To be called again whenever the rules may be gone. */
export async function dropTunnelPackets(device: string, address: string, run: Run): Promise<void> {
  const chain = chainFor(device, address);
  const destination = `${isIpv6(address) ? 'ip6' : 'ip'} daddr ${address}`;
  await nft(run, [
    `add table ${TABLE}`,
    `add chain ${chain} { type filter hook ingress device "${device}" priority -500; policy accept; }`,
    `flush chain ${chain}`,
    `add rule ${chain} ${destination} meta l4proto ${gre.PROTOCOL} drop`,
    `add rule ${chain} ${destination} udp dport { ${TUNNEL_PORTS.join(', ')} } drop`,
  ]);
}

/** Lets them pass again, whether or not the interface is there. */
export function passTunnelPackets(device: string, address: string, run: Run): Promise<void> {
  return removeChains([chainFor(device, address)], run);
}

/** Several daemons may have addresses on one interface. */
const chainFor = (device: string, address: string): string => chainName('underlay', `${device}-${address}`);
