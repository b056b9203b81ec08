import { formatAddress } from '../control/prefix.js';
import { addressWords } from '../tables/address-words.js';
import type { FatFlows } from '../tables/fat-flow.js';
import { FLOW, newFlowKey, type FlowKey } from '../tables/flow.js';
import type { FatFlowPrefix, FatFlowRecord } from '../tables/records.js';

/** Keys of sessions in text, to test what fat-flow rules make of them. */

export const TCP = 6;
export const UDP = 17;
const NH = 122;

/** A packet, or what is left of its key. */
export interface Session {
  readonly protocol: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** `10.0.0.1:64165 -> 8.8.8.8:22`, IPv6 addresses as well. */
export function session(protocol: number, text: string): Session {
  const [, source, sourcePort, destination, destinationPort] = /^(.*):(\d+) -> (.*):(\d+)$/.exec(text) ?? [];
  return { protocol, source, sourcePort: Number(sourcePort), destination, destinationPort: Number(destinationPort) };
}

/** The packet that answers. */
export const reversed = (one: Session): Session => ({
  protocol: one.protocol,
  source: one.destination,
  sourcePort: one.destinationPort,
  destination: one.source,
  destinationPort: one.sourcePort,
});

/** As `session` reads it. */
export const show = (one: Session): string =>
  `${one.source}:${one.sourcePort} -> ${one.destination}:${one.destinationPort}`;

function keyOf(one: Session): FlowKey {
  const key = newFlowKey();
  key[FLOW.protocol] = ((one.source.includes(':') ? 6 : 4) << 8) | one.protocol;
  key[FLOW.ports] = (one.sourcePort << 16) | one.destinationPort;
  key[FLOW.keyNh] = NH;
  key.set(addressWords(one.source), FLOW.source);
  key.set(addressWords(one.destination), FLOW.destination);
  return key;
}

function sessionOf(key: FlowKey): Session {
  const family = key[FLOW.protocol] >>> 8 === 6 ? 6 : 4;
  const address = (at: number): string => {
    const words = [...key.subarray(at, at + (family === 6 ? 4 : 1))];
    return formatAddress(
      family,
      words.reduce((value, word) => (value << 32n) | BigInt(word >>> 0), 0n),
    );
  };
  return {
    protocol: key[FLOW.protocol] & 0xff,
    source: address(FLOW.source),
    sourcePort: key[FLOW.ports] >>> 16,
    destination: address(FLOW.destination),
    destinationPort: key[FLOW.ports] & 0xffff,
  };
}

/** A rule for all TCP ports but for what is given. */
export const rule = (given: Partial<FatFlowRecord>): FatFlowRecord => ({
  protocol: TCP,
  port: 0,
  ignore: 'none',
  source: null,
  destination: null,
  ...given,
});
export const to = (prefix: string, length: number, aggregate: number): FatFlowPrefix => ({ prefix, length, aggregate });

/** The key of a packet; undefined: no rule applies. */
export function masked(flows: FatFlows, packet: Session, fromVm: boolean): Session | undefined {
  const key = keyOf(packet);
  const before = key.slice();
  if (flows.mask(key, fromVm)) return sessionOf(key);
  if (key.some((word, w) => word !== before[w])) throw new Error('a key no rule applies to was changed');
  return undefined;
}
