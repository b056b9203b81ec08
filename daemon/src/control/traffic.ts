import * as z from 'zod';
import { IP_PROTOCOL_NAMES, type IpProtocolName, ipProtocolName } from '../wire/ip-protocol.js';
import { shown } from './shown.js';

/** What rules of network policies and security groups say of the traffic they are about: its protocol and its ports. */

const NUMBER_MAX = 255;
export const PORT_MAX = 0xffff;

/** A name where there is one, else an IP protocol number. */
export type Protocol = 'any' | IpProtocolName | number;
/** A port, or a range of them as `first-last`. */
type Port = number | string;
export type Ports = 'any' | readonly Port[];

const numberOrText = z.union([z.int(), z.string()]);

/** Name of the protocol with this number in plain digits. */
const numbered = (text: string): IpProtocolName | undefined =>
  text === String(Number(text)) ? ipProtocolName(Number(text)) : undefined;

export const protocol = numberOrText
  .default('any')
  .transform((given, context): Protocol => {
    const known = IP_PROTOCOL_NAMES.find((name) => name === given) ?? numbered(String(given));
    if (given === 'any' || known !== undefined) return known ?? 'any';
    if (/^\d{1,3}$/.test(String(given)) && Number(given) <= NUMBER_MAX) return Number(given);
    const message = `${shown(given)} is not a protocol; use any, ${IP_PROTOCOL_NAMES.join(', ')} or a number from 0 to ${NUMBER_MAX}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  })
  .meta({ description: `any, ${IP_PROTOCOL_NAMES.join(', ')}, or a number`, examples: ['tcp', 47] });

export const ports = z
  .union([numberOrText, z.array(numberOrText)])
  .default('any')
  .transform((given, context): Ports => {
    if (given === 'any') return given;
    const isList = Array.isArray(given);
    const list = isList ? given : [given];
    if (list.length === 0) {
      context.addIssue({ code: 'custom', message: 'is empty; name at least one port, or write any' });
      return z.NEVER;
    }
    return list.map((text, i) => {
      const range = rangeOf(text);
      if (range !== undefined) return range[0] === range[1] ? range[0] : range.join('-');
      const message = `${shown(text)} is not a port; use one from 0 to ${PORT_MAX} or a range, e.g. "8000-8080"`;
      context.addIssue({ code: 'custom', path: isList ? [i] : [], message });
      return z.NEVER;
    });
  })
  .meta({ description: 'any, or a list of ports and ranges of ports', examples: [[80, '8000-8080']] });

/** The ranges a list of ports names, both ends included; none: any port. */
export function rangesOf(given: Ports): (readonly [number, number])[] {
  return given === 'any' ? [] : given.map((text) => rangeOf(text) ?? [0, PORT_MAX]);
}

/** Why a rule about this protocol cannot name ports; undefined: it can. */
export function portsProblem(of: Protocol): string | undefined {
  if (of === 'any' || of === 'tcp' || of === 'udp' || of === 'sctp') return undefined;
  return `protocol ${of} has no ports; use tcp, udp or sctp, or leave the ports out`;
}

function rangeOf(text: Port): readonly [number, number] | undefined {
  const parts = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(text));
  if (parts === null) return undefined;
  const first = Number(parts[1]);
  const last = parts.at(2) === undefined ? first : Number(parts[2]);
  return first <= last && last <= PORT_MAX ? [first, last] : undefined;
}
