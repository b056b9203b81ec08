import type { BpfInstruction } from 'packet-io';
import * as addr from '../wire/addr.js';
import { get32 } from '../wire/bytes.js';
import * as gre from '../wire/gre.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { TUNNEL_PORTS } from '../wire/tunnel-ports.js';

/** Destination unreachable, time exceeded, parameter problem (RFC 792). */
const ICMP_ERRORS = [3, 11, 12] as const;
/** ICMPv6 types below this are errors (RFC 4443 section 2.1). */
const ICMPV6_INFORMATIONAL = 128;

/** What the kernel tells of a frame beside its bytes (linux/filter.h): how it was addressed (0: to us), whether it has a tag. */
const ANCILLARY = 0xfffff000;
const PACKET_TYPE = ANCILLARY + 4;
const VLAN_PRESENT = ANCILLARY + 48;

const IP_AT = 14;
const ETHERTYPE_AT = 12;
/** Any frame is shorter. */
const WHOLE_FRAME = 0x40000;

/** Where a jump leads: the next instruction, a named one, or the end. */
type Target = 'next' | 'accept' | 'drop' | 'udp' | 'icmp' | 'quoted';
type Step =
  | { readonly code: number; readonly operand: number; readonly ifTrue?: Target; readonly ifFalse?: Target }
  | { readonly name: Target };

const load8 = (at: number): Step => ({ code: 0x30, operand: at });
const load16 = (at: number): Step => ({ code: 0x28, operand: at });
const load32 = (at: number): Step => ({ code: 0x20, operand: at });
/** At the offset behind the IPv4 header that `headerLength` measured. */
const load8Behind = (at: number): Step => ({ code: 0x50, operand: at });
const load16Behind = (at: number): Step => ({ code: 0x48, operand: at });
const load32Behind = (at: number): Step => ({ code: 0x40, operand: at });
const headerLength: Step = { code: 0xb1, operand: IP_AT };
const equal = (operand: number, ifTrue: Target, ifFalse: Target): Step => ({ code: 0x15, operand, ifTrue, ifFalse });
const anyBit = (operand: number, ifTrue: Target, ifFalse: Target): Step => ({ code: 0x45, operand, ifTrue, ifFalse });
const atLeast = (operand: number, ifTrue: Target, ifFalse: Target): Step => ({ code: 0x35, operand, ifTrue, ifFalse });
const give = (operand: number): Step => ({ code: 0x06, operand });

/**
 * The frames the datapath takes from the underlay interface, as a classic BPF program: untagged ones, to this host's MAC, that carry
 * a packet to `address` which is a whole tunnel packet (GRE, or UDP to a port of ours) or an ICMP error about one from there. All
 * else is the host's own business.
 */
export function underlayFilter(address: string): BpfInstruction[] {
  const ofFamily = addr.isIpv6(address) ? ipv6Steps(addr.parseIpv6(address)) : ipv4Steps(addr.parseIpv4(address));
  return assembled([
    load32(VLAN_PRESENT),
    equal(0, 'next', 'drop'),
    load32(PACKET_TYPE),
    equal(0, 'next', 'drop'),
    ...ofFamily,
    { name: 'drop' },
    give(0),
    { name: 'accept' },
    give(WHOLE_FRAME),
  ]);
}

function ipv4Steps(address: number): Step[] {
  /** Of an ICMP message: 8 bytes, and the header of a packet we made, 20 bytes without options. */
  const quotedAt = IP_AT + 8;
  return [
    load16(ETHERTYPE_AT),
    equal(0x0800, 'next', 'drop'),
    load32(IP_AT + 16),
    equal(address, 'next', 'drop'),
    // Of a fragment nobody sees where it belongs.
    load16(IP_AT + 6),
    anyBit(0x3fff, 'drop', 'next'),
    headerLength,
    load8(IP_AT + 9),
    equal(gre.PROTOCOL, 'accept', 'next'),
    equal(ipv4.PROTOCOL_UDP, 'udp', 'next'),
    equal(ipv4.PROTOCOL_ICMP, 'icmp', 'drop'),
    { name: 'udp' },
    load16Behind(IP_AT + 2),
    ...anyOf(TUNNEL_PORTS, 'accept', 'drop'),
    { name: 'icmp' },
    load8Behind(IP_AT),
    ...anyOf(ICMP_ERRORS, 'quoted', 'drop'),
    { name: 'quoted' },
    load32Behind(quotedAt + 12),
    equal(address, 'next', 'drop'),
    load8Behind(quotedAt + 9),
    equal(gre.PROTOCOL, 'accept', 'next'),
    equal(ipv4.PROTOCOL_UDP, 'next', 'drop'),
    load16Behind(quotedAt + 20 + 2),
    ...anyOf(TUNNEL_PORTS, 'accept', 'drop'),
  ];
}

function ipv6Steps(address: Uint8Array): Step[] {
  const bodyAt = IP_AT + 40;
  const quotedAt = bodyAt + 8;
  const isAddress = (at: number): Step[] =>
    [0, 4, 8, 12].flatMap((word) => [load32(at + word), equal(get32(address, word), 'next', 'drop')]);
  return [
    load16(ETHERTYPE_AT),
    equal(0x86dd, 'next', 'drop'),
    ...isAddress(IP_AT + 24),
    load8(IP_AT + 6),
    equal(gre.PROTOCOL, 'accept', 'next'),
    equal(ipv4.PROTOCOL_UDP, 'udp', 'next'),
    equal(ipv6.PROTOCOL_ICMPV6, 'icmp', 'drop'),
    { name: 'udp' },
    load16(bodyAt + 2),
    ...anyOf(TUNNEL_PORTS, 'accept', 'drop'),
    { name: 'icmp' },
    load8(bodyAt),
    atLeast(ICMPV6_INFORMATIONAL, 'drop', 'quoted'),
    { name: 'quoted' },
    ...isAddress(quotedAt + 8),
    load8(quotedAt + 6),
    equal(gre.PROTOCOL, 'accept', 'next'),
    equal(ipv4.PROTOCOL_UDP, 'next', 'drop'),
    load16(quotedAt + 40 + 2),
    ...anyOf(TUNNEL_PORTS, 'accept', 'drop'),
  ];
}

const anyOf = (values: readonly number[], ifTrue: Target, ifFalse: Target): Step[] =>
  values.map((value, i) => equal(value, ifTrue, i === values.length - 1 ? ifFalse : 'next'));

/** Replaces names by distances. */
function assembled(steps: readonly Step[]): BpfInstruction[] {
  const places = new Map<Target, number>();
  const instructions = [];
  for (const step of steps) {
    if ('name' in step) places.set(step.name, instructions.length);
    else instructions.push(step);
  }
  return instructions.map(({ code, operand, ifTrue = 'next', ifFalse = 'next' }, i) => {
    const distance = (target: Target): number => (target === 'next' ? 0 : (places.get(target) as number) - i - 1);
    return [code, distance(ifTrue), distance(ifFalse), operand >>> 0];
  });
}
