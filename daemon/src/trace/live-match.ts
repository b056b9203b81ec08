import { type FlowEndpoint, parseFlowMatch } from '../control/flow-match.js';
import { RefusedError } from '../control/refused.js';
import type { TraceEnd, TraceFilter } from '../datapath/tracer.js';
import { addressWords } from '../tables/address-words.js';
import { family } from '../wire/addr.js';
import * as ethernet from '../wire/ethernet.js';
import { IP_PROTOCOL_NAMES } from '../wire/ip-protocol.js';

/**
 * Reads which packets to trace: conditions of `flow --match`, joined by `&`, and besides them
 *
 *     any                                all packets
 *     tcp | udp | icmp | icmp6 | sctp    short for `proto NAME`
 *     arp
 *     vmi NAME | vif N                   from the interface, or from the agent to it
 *
 * Throws RefusedError (`invalid`, `notFound`).
 * @param vifOf number of the interface of a name; throws RefusedError.
 */
export function parseLiveMatch(text: string, vifOf: (name: string) => number): TraceFilter {
  const flowTokens: string[] = [];
  let vif = -1;
  let etherType = -1;
  for (const token of text.split('&').map((one) => one.trim())) {
    const [word, name = ''] = token.split(/\s+/, 2) as [string, string?];
    if (word === 'any') continue;
    if (word === 'arp') etherType = ethernet.TYPE_ARP;
    else if (word === 'vmi') vif = vifOf(name);
    else if (word === 'vif' || /^vif0\//.test(word)) vif = numberOfVif(word === 'vif' ? name : word);
    else flowTokens.push(IP_PROTOCOL_NAMES.some((name) => name === token) ? `proto ${token}` : token);
  }
  const match = flowTokens.length === 0 ? null : parseFlowMatch(flowTokens.join(' & '));
  const { protocol = null, vrf = null, endpoints = [] } = match ?? {};
  return { vif, vrf: vrf ?? -1, protocol: protocol ?? -1, etherType, ends: endpoints.map(endOf) };
}

function numberOfVif(text: string): number {
  const number = /^(?:vif0\/)?(\d{1,9})$/.exec(text)?.[1];
  if (number === undefined)
    throw new RefusedError('invalid', `'${text}' is no interface; write vif N, as vif --list shows`);
  return Number(number);
}

function endOf({ address, port }: FlowEndpoint): TraceEnd {
  if (address === null) return { family: 0, address: [], port: port ?? -1 };
  const version = family(address);
  return { family: version, address: [...addressWords(address).subarray(0, version === 4 ? 1 : 4)], port: port ?? -1 };
}
