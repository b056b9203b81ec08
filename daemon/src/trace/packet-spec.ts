import { RefusedError } from '../control/refused.js';
import { family } from '../wire/addr.js';
import * as dhcp from '../wire/dhcp.js';
import { hasPorts, IP_PROTOCOL, IP_PROTOCOL_NAMES } from '../wire/ip-protocol.js';
import * as tcp from '../wire/tcp.js';

/** An address with a port; what is left out is the guest's own, or chosen. */
export interface Endpoint {
  readonly address: string | null;
  readonly port: number | null;
}

/** A packet in the words of the user. */
export type PacketSpec =
  | {
      readonly kind: 'ports';
      /** TCP, UDP or SCTP. */
      readonly protocol: number;
      readonly source: Endpoint;
      readonly destination: Endpoint;
      /** Of TCP. */
      readonly flags: number;
    }
  | { readonly kind: 'echo'; readonly reply: boolean; readonly source: Endpoint; readonly destination: Endpoint }
  | { readonly kind: 'ip'; readonly protocol: number; readonly source: Endpoint; readonly destination: Endpoint }
  /** Who has `address`? Asked by ARP or neighbour discovery, as its family wants. `asker`: null: the guest. */
  | { readonly kind: 'who-has'; readonly address: string; readonly asker: string | null }
  /** I have it: a gratuitous ARP request. */
  | { readonly kind: 'announce'; readonly address: string | null }
  | { readonly kind: 'dhcp'; readonly type: number };

const TCP_FLAGS: Readonly<Partial<Record<string, number>>> = {
  syn: tcp.SYN,
  ack: tcp.ACK,
  fin: tcp.FIN,
  rst: tcp.RST,
  psh: tcp.PSH,
};
const DHCP_TYPES: Readonly<Partial<Record<string, number>>> = {
  discover: dhcp.DISCOVER,
  request: dhcp.REQUEST,
};
const SIDES = /^(>|->|to)$/;
const ANY: Endpoint = { address: null, port: null };

const wrong = (problem: string): RefusedError =>
  new RefusedError('invalid', `${problem}; vrouter trace --help shows how to write a packet`);

/**
 * Reads a packet:
 *
 *     tcp|udp|sctp  [SOURCE >] DESTINATION [FLAG ...]     an end is ADDRESS, ADDRESS:PORT, [V6]:PORT or :PORT
 *     icmp          [SOURCE >] DESTINATION [reply]
 *     proto N       [SOURCE >] DESTINATION
 *     arp|nd        who-has ADDRESS [tell ADDRESS]
 *     arp           announce [ADDRESS]
 *     dhcp          discover|request
 *
 * `to` is as good as `>`, which a shell wants quoted. Throws RefusedError (`invalid`).
 */
export function parsePacket(text: string): PacketSpec {
  // A `>` needs no blanks around it.
  const [name, ...rest] = text
    .toLowerCase()
    .replaceAll(/-?>/g, ' > ')
    .split(/\s+/)
    .filter((word) => word !== '');
  const protocol = IP_PROTOCOL_NAMES.find((one) => one === name);
  if (protocol !== undefined && hasPorts(IP_PROTOCOL[protocol])) return parsePorts(IP_PROTOCOL[protocol], rest);
  switch (name) {
    case 'icmp':
    case 'icmp6':
    case 'ping':
      return parseEcho(rest);
    case 'proto':
      return parseIp(rest);
    case 'arp':
    case 'nd':
      return parseNeighbour(rest);
    case 'dhcp':
      return parseDhcp(rest);
    default:
      throw wrong(name ? `'${name}' is no kind of packet` : 'the packet is missing');
  }
}

function parsePorts(protocol: number, words: readonly string[]): PacketSpec {
  const { source, destination, rest } = parseEnds(words);
  const names = rest.flatMap((word) => word.split(/[+-]/));
  const flags = names.map((name) => {
    const flag = protocol === IP_PROTOCOL.tcp ? TCP_FLAGS[name] : undefined;
    if (flag === undefined) throw wrong(`'${name}' is not understood`);
    return flag;
  });
  const all = flags.length === 0 ? tcp.SYN : flags.reduce((sum, flag) => sum | flag, 0);
  return { kind: 'ports', protocol, source, destination, flags: all };
}

function parseEcho(words: readonly string[]): PacketSpec {
  const { source, destination, rest } = parseEnds(words);
  const [word = 'request', ...more] = rest;
  if (!['request', 'reply'].includes(word) || more.length > 0) throw wrong(`'${rest.join(' ')}' is not understood`);
  withoutPorts(source, destination);
  return { kind: 'echo', reply: word === 'reply', source, destination };
}

function parseIp([number = '', ...words]: readonly string[]): PacketSpec {
  if (!/^\d{1,3}$/.test(number) || Number(number) > 255) throw wrong(`'${number}' is no IP protocol number`);
  const { source, destination, rest } = parseEnds(words);
  if (rest.length > 0) throw wrong(`'${rest.join(' ')}' is not understood`);
  withoutPorts(source, destination);
  return { kind: 'ip', protocol: Number(number), source, destination };
}

function withoutPorts(...ends: readonly Endpoint[]): void {
  if (ends.some(({ port }) => port !== null)) throw wrong('a packet of this protocol has no ports');
}

/** `[SOURCE >] DESTINATION`, and the words behind. */
function parseEnds(words: readonly string[]): { source: Endpoint; destination: Endpoint; rest: readonly string[] } {
  const sides = words.findIndex((word) => SIDES.test(word));
  if (sides > 1) throw wrong(`'${words.slice(0, sides).join(' ')}' is no end of a session`);
  const source = sides === 1 ? parseEnd(words[0]) : ANY;
  const [to, ...rest] = words.slice(sides + 1);
  if (words.length === sides + 1) throw wrong('where the packet goes is missing');
  const destination = parseEnd(to);
  if (destination.address === null) throw wrong('the address the packet goes to is missing');
  if (source.address !== null && family(source.address) !== family(destination.address))
    throw wrong(`${source.address} and ${destination.address} are of different families`);
  return { source, destination, rest };
}

function parseEnd(text: string): Endpoint {
  if (family(text) === 6) return { address: text, port: null };
  const found = /^(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:]*))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups as Match;
  const { v6, v4 = '', port } = found ?? {};
  const address = v6 ?? v4;
  const isAddress = family(address) === (v6 === undefined ? 4 : 6);
  if (!isAddress && (v6 !== undefined || v4 !== '' || port === undefined)) throw wrong(`'${text}' is no address`);
  if (Number(port ?? 0) > 0xffff) throw wrong(`${port ?? ''} is no port`);
  return { address: isAddress ? address : null, port: port === undefined ? null : Number(port) };
}

type Match = Readonly<Partial<Record<'v6' | 'v4' | 'port', string>>> | undefined;

function parseNeighbour(words: readonly string[]): PacketSpec {
  const text = words.slice(1).join(' ');
  if (words[0] === 'announce') return { kind: 'announce', address: text === '' ? null : addressIn(text) };
  if (words[0] !== 'who-has') throw wrong(`'${words.join(' ')}' is neither who-has nor announce`);
  const [wanted, asker, ...rest] = text.split(' tell ');
  if (rest.length > 0) throw wrong(`'${text}' is not understood`);
  return { kind: 'who-has', address: addressIn(wanted), asker: words.includes('tell') ? addressIn(asker) : null };
}

function addressIn(text: string): string {
  if (family(text) === 0) throw wrong(`'${text}' is no address`);
  return text;
}

function parseDhcp([name = 'discover', ...rest]: readonly string[]): PacketSpec {
  const type = DHCP_TYPES[name];
  if (type === undefined || rest.length > 0)
    throw wrong(`'${[name, ...rest].join(' ')}' is no DHCP message of a client`);
  return { kind: 'dhcp', type };
}
