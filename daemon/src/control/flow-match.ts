/**
 * The expressions that select flows (`flow --match`):
 *
 *     expr     := token *( "&" token )
 *     token    := "proto" SP name | "vrf" SP number | endpoint [ "," endpoint ]
 *     endpoint := v4 [ ":" port ] | "[" v6 "]" ":" port | v6 | "*" [ ":" port ]
 *     port     := number | "*"
 *     name     := tcp | udp | icmp6 | icmp | sctp
 *
 * One endpoint is either side of a flow; two are its two sides, in either order. All conditions must hold.
 */
import { family, formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../wire/addr.js';
import { IP_PROTOCOL, IP_PROTOCOL_NAMES, ipProtocolName, ipProtocolTitle } from '../wire/ip-protocol.js';
import { RefusedError } from './refused.js';

/** One side of a flow. */
export interface FlowEndpoint {
  /** In canonical text; null: any. */
  readonly address: string | null;
  /** null: any. */
  readonly port: number | null;
}

export interface FlowMatch {
  /** None, one, or two of one family. */
  readonly endpoints: readonly FlowEndpoint[];
  readonly protocol: number | null;
  readonly vrf: number | null;
}

/** Name of a protocol an expression can name (`TCP`); of others the number. */
export const protocolTitle = (protocol: number): string =>
  (ipProtocolName(protocol) && ipProtocolTitle(protocol)) ?? String(protocol);

const VRF_MAX = 0xffff;
const PORT_MAX = 0xffff;

/** Reads an expression. Throws RefusedError (`invalid`). */
export function parseFlowMatch(text: string): FlowMatch {
  const endpoints: FlowEndpoint[] = [];
  let protocol: number | null = null;
  let vrf: number | null = null;
  for (const token of text.split('&').map((one) => one.trim())) {
    if (token === '' || /^[,:]/.test(token)) throw malformed('separator used incorrectly');
    const word = /^(proto|vrf)(?=\s|$)/.exec(token)?.[1];
    const value = token.slice(word?.length ?? 0).trim();
    if (word === undefined) {
      for (const endpoint of token.split(',')) endpoints.push(parseEndpoint(endpoint.trim()));
    } else if (word === 'proto') {
      if (protocol !== null) throw malformed('proto is there twice');
      protocol = parseProtocol(value);
    } else {
      if (vrf !== null) throw malformed('vrf is there twice');
      vrf = parseNumber(value, VRF_MAX, 'VRF');
    }
  }
  checkEndpoints(endpoints);
  return { endpoints, protocol, vrf };
}

/** An expression that means the same, in the shortest form. */
export function formatFlowMatch({ endpoints, protocol, vrf }: FlowMatch): string {
  const tokens = endpoints.length > 0 ? [endpoints.map(formatEndpoint).join(', ')] : [];
  if (protocol !== null) tokens.push(`proto ${ipProtocolName(protocol) ?? protocol}`);
  if (vrf !== null) tokens.push(`vrf ${vrf}`);
  return tokens.join(' & ');
}

const malformed = (problem: string): RefusedError =>
  new RefusedError('invalid', `Malformed request: ${problem}; flow --help shows what an expression may be`);

function parseProtocol(name: string): number {
  const found = IP_PROTOCOL_NAMES.find((one) => one === name.toLowerCase());
  if (!found) {
    throw new RefusedError('invalid', `Unsupported protocol "${name}"; use one of ${IP_PROTOCOL_NAMES.join(', ')}`);
  }
  return IP_PROTOCOL[found];
}

function parseNumber(text: string, max: number, what: string): number {
  if (!/^\d+$/.test(text) || Number(text) > max) throw malformed(`"${text}" is no ${what} (0 to ${max})`);
  return Number(text);
}

/** An endpoint without blanks around it. */
function parseEndpoint(text: string): FlowEndpoint {
  if (text === '' || text.startsWith(':')) throw malformed('separator used incorrectly');
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed) {
    const [, address, port] = bracketed as unknown as [string, string, string | undefined];
    if (family(address) !== 6) throw malformed(`"${address}" is no IPv6 address`);
    if (port === undefined) throw malformed('an address in brackets wants a port behind it, or :*');
    return { address: canonical(address), port: parsePort(port) };
  }
  if (family(text) === 6) return { address: canonical(text), port: null };
  const [address, ...ports] = text.split(':');
  if (ports.length > 1) throw malformed(`"${text}" is no address`);
  const port = ports.length === 0 ? null : parsePort(ports[0]);
  if (address === '*') return { address: null, port };
  if (family(address) !== 4) throw malformed(`"${address}" is no address`);
  return { address, port };
}

const parsePort = (text: string): number | null => (text === '*' ? null : parseNumber(text, PORT_MAX, 'port'));

/** The text a daemon prints for the address. */
const canonical = (address: string): string =>
  family(address) === 4 ? formatIpv4(parseIpv4(address)) : formatIpv6(parseIpv6(address));

function checkEndpoints(endpoints: readonly FlowEndpoint[]): void {
  if (endpoints.length > 2) throw malformed('a flow has two sides');
  const families = new Set(endpoints.flatMap(({ address }) => (address === null ? [] : [family(address)])));
  if (families.size > 1) throw malformed('the sides of a flow are both IPv4 or both IPv6');
}

function formatEndpoint({ address, port }: FlowEndpoint): string {
  const host = address ?? '*';
  if (host.includes(':')) return port === null ? host : `[${host}]:${port}`;
  return port === null ? host : `${host}:${port}`;
}
