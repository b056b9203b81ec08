/** What the agent sends back for the frames the datapath hands to it. */
import { contains, parseAddress, parsePrefix } from '../control/prefix.js';
import { PUNT, type PuntCommand } from '../tables/punt.js';
import * as addr from '../wire/addr.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { GATEWAY_LINK_LOCAL } from './compile.js';
import { answerDhcp, type DhcpConfig } from './dhcp.js';
import { answerEcho, icmpError, routerAdvertisement } from './gateway.js';

/** What the agent needs to know to answer the guest behind a vif. Addresses and prefixes are in canonical text. */
export interface GuestConfig {
  /** Whether the network has a gateway: forwarding modes l3 and l2_l3. */
  readonly routed: boolean;
  /** All subnets of the guest's network. */
  readonly subnets: readonly {
    readonly prefix: string;
    readonly gateway: string | null;
    readonly serviceAddress: string | null;
  }[];
  /** Largest IP packet of the network, bytes. */
  readonly mtu: number;
  /** Null when the guest has no IPv4 address. */
  readonly dhcp: DhcpConfig | null;
}

/** A frame on its way to the agent: a whole Ethernet frame as the guest behind `vif` sent it, and why it comes. */
export interface PuntedFrame {
  readonly command: PuntCommand;
  /** What goes with the command: of handleDf, the longest IP packet that gets through, bytes. */
  readonly parameter?: number;
  readonly vif: number;
  readonly frame: Uint8Array;
}

/** A frame to send to the guest behind `vif`. */
export interface AgentFrame {
  readonly vif: number;
  readonly frame: Uint8Array;
}

/** The frames that answer a punted one, in the order to send them: none when it wants no answer, or its vif is gone. */
export function answerPunt(
  { command, parameter = 0, vif, frame }: PuntedFrame,
  guestOf: (vif: number) => GuestConfig | undefined,
): AgentFrame[] {
  const guest = guestOf(vif);
  const answer = guest === undefined ? null : answerTo(command, parameter, frame, guest);
  return answer === null ? [] : [{ vif, frame: answer }];
}

function answerTo(command: PuntCommand, parameter: number, frame: Uint8Array, guest: GuestConfig): Uint8Array | null {
  const { dhcp, routed } = guest;
  switch (command) {
    case PUNT.l3:
      return (dhcp && answerDhcp(frame, dhcp)) ?? (routed ? routerAdvertisement(frame, guest) : null);
    case PUNT.nexthop:
      // A client that renews its lease knows the server by address, and sends there.
      return (dhcp && answerDhcp(frame, dhcp)) ?? answerForGateway(frame, guest);
    case PUNT.zeroTtl:
    case PUNT.handleDf: {
      const gateway = routed ? gatewayFor(addressOf(frame, 'src'), guest) : null;
      const problem = command === PUNT.zeroTtl ? 'timeExceeded' : 'tooBig';
      return gateway === null ? null : icmpError(frame, problem, gateway, guest.mtu, parameter);
    }
    case PUNT.arp:
    case PUNT.icmpError:
    case PUNT.routerAlert:
      return null;
    default: {
      const unknown: never = command;
      return unknown;
    }
  }
}

/** The gateway answers pings; it has no services, and says so to who asks for one over UDP. */
function answerForGateway(frame: Uint8Array, guest: GuestConfig): Uint8Array | null {
  const to = addressOf(frame, 'dst');
  if (to === null || !isForGateway(frame, guest)) return null;
  return answerEcho(frame) ?? (isUdp(frame) ? icmpError(frame, 'portUnreachable', to, guest.mtu) : null);
}

function isUdp(frame: Uint8Array): boolean {
  const protocol = ethernet.type(frame, 0) === ethernet.TYPE_IPV4 ? ipv4.protocol : ipv6.nextHeader;
  return protocol(frame, ethernet.LEN) === ipv4.PROTOCOL_UDP;
}

/** Whether the frame's packet is for an address the gateway answers at. */
function isForGateway(frame: Uint8Array, { routed, subnets }: GuestConfig): boolean {
  const to = addressOf(frame, 'dst');
  if (!routed || to === null) return false;
  return to === GATEWAY_LINK_LOCAL || subnets.some((s) => s.gateway === to || s.serviceAddress === to);
}

/**
 * The address under which the gateway speaks to the guest at `source`: that of its subnet, or of any subnet of the same family
 * when the guest uses an address from none of them. A subnet without gateway speaks from its service address.
 */
function gatewayFor(source: string | null, { subnets }: GuestConfig): string | null {
  if (source === null) return null;
  const address = parseAddress(source);
  const sameFamily = subnets.filter(({ prefix }) => parsePrefix(prefix).family === address.family);
  const own = sameFamily.find(({ prefix }) => contains(parsePrefix(prefix), address)) ?? sameFamily.at(0);
  return own?.gateway ?? own?.serviceAddress ?? null;
}

/** Source or destination of the frame's packet as canonical text; null when it holds no IP header. */
function addressOf(frame: Uint8Array, side: 'src' | 'dst'): string | null {
  const at = ethernet.LEN;
  if (!ethernet.fits(0, frame.length)) return null;
  switch (ethernet.type(frame, 0)) {
    case ethernet.TYPE_IPV4:
      return ipv4.fits(at, frame.length) ? addr.formatIpv4(ipv4[side](frame, at)) : null;
    case ethernet.TYPE_IPV6:
      if (!ipv6.fits(at, frame.length)) return null;
      return addr.formatIpv6(frame, at + (side === 'src' ? ipv6.SRC : ipv6.DST));
    default:
      return null;
  }
}
