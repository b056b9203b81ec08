import type { GuestConfig } from '../agent/punt.js';
import { contains, parseAddress, parsePrefix } from '../control/prefix.js';
import { RefusedError } from '../control/refused.js';
import type { Tables } from '../tables/tables.js';
import type { Vif } from '../tables/vif.js';
import { family, parseMac } from '../wire/addr.js';
import * as ethernet from '../wire/ethernet.js';
import type { DryRun } from './dry-run.js';
import { type Guest, linkDestination, writeFrame } from './frame.js';
import type { PacketSpec } from './packet-spec.js';

/**
 * The MAC the guest behind `vif` sends a packet for `address` to: it asks for it by ARP or neighbour discovery, and is told what
 * the datapath tells it. Throws RefusedError when nobody would.
 * @param from address it asks as.
 */
export function linkAddressOf(
  address: string,
  from: string,
  {
    vif,
    guest,
    config,
    run,
    tables,
  }: { vif: Vif; guest: Guest; config: GuestConfig | undefined; run: DryRun; tables: Tables },
): Uint8Array {
  const hop = nextHop(address, config);
  const spec: PacketSpec = { kind: 'who-has', address: hop, asker: from };
  const dst = linkDestination(spec) as Uint8Array;
  const { sent } = run.receive(vif.id, writeFrame(spec, from, { src: guest.mac, dst }, {}));
  const answer = sent.find(({ port }) => port === vif.id);
  if (answer) return answer.frame.slice(ethernet.SRC, ethernet.SRC + ethernet.ADDRESS_LEN);
  // Everybody was asked: whoever has the address answers.
  for (const { record, vrf } of tables.vifs.entries()) {
    if (vrf === vif.vrf && (record.ip === hop || record.ip6 === hop)) return parseMac(record.macs[0]);
  }
  const how = family(hop) === 4 ? 'ARP' : 'neighbour discovery';
  throw new RefusedError('invalid', `nobody answers the ${how} of the guest for ${hop}; name a MAC with --dst-mac`);
}

/** Whom the guest asks for: the destination itself, or the gateway when it is in none of the network's subnets. */
function nextHop(address: string, config: GuestConfig | undefined): string {
  if (!config?.routed) return address;
  const wanted = parseAddress(address);
  const subnets = config.subnets.filter(({ prefix }) => parsePrefix(prefix).family === wanted.family);
  if (subnets.some(({ prefix }) => contains(parsePrefix(prefix), wanted)) || isLinkLocal(address)) return address;
  const gateway = subnets.flatMap((subnet) => subnet.gateway ?? []).at(0);
  if (gateway !== undefined) return gateway;
  throw new RefusedError('invalid', `the network of the guest has no gateway to ${address}; name a MAC with --dst-mac`);
}

const isLinkLocal = (address: string): boolean => /^(fe80:|169\.254\.)/.test(address);
