import { endianness } from 'node:os';
import { attributes, attributesLen, bytesOf, errorOf, messages, putAttribute, request, HEADER_LEN } from './netlink.js';

/** Addresses are bytes, 4 or 16, as the kernel tells them. Numbers of rtnetlink(7); fields are in the byte order of the host. */
const LITTLE_ENDIAN = endianness() === 'LE';
const TYPE = { newAddress: 20, delAddress: 21, getAddress: 22, newRoute: 24, delRoute: 25, getRoute: 26 } as const;
const NEIGHBOUR_TYPE = { new: 28, del: 29, get: 30 } as const;
const FLAG = { create: 0x400, replace: 0x100, dump: 0x300, ack: 0x4 } as const;
const ADDRESS_LEN = 8;
const ROUTE_LEN = 12;
const NEIGHBOUR_LEN = 12;
const FAMILY = { inet: 2, inet6: 10 } as const;

const ROUTE = { destination: 1, source: 2, oif: 4, gateway: 5, metrics: 8, multipath: 9, table: 15, via: 18 } as const;
const METRIC_MTU = 2;
const NEXTHOP_LEN = 8;
/** RT_TABLE_MAIN. */
export const MAIN_TABLE = 254;
const NEIGHBOUR = { destination: 1, linkAddress: 2 } as const;
const ADDRESS = { address: 1, local: 2 } as const;
/** What keeps the MAC of a neighbour usable, and what it takes to make the kernel ask for it (linux/neighbour.h). */
const NUD_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;
const NUD_STALE = 0x04;
const NTF_USE = 0x01;

/** A route, or the answer to the question for one. */
export interface Route {
  readonly family: 4 | 6;
  /** RT_TABLE_ number; an answer names the main table whichever it is from. */
  readonly table: number;
  readonly destination: Uint8Array;
  readonly length: number;
  /** RTN_ number: 1 unicast, 2 local ... */
  readonly type: number;
  /** RTPROT_ number: who made it. */
  readonly protocol: number;
  /** Next hop; undefined: the destination is on the link. It may be of the other family. */
  readonly gateway: Uint8Array | undefined;
  /** Interface index; 0: none. */
  readonly oif: number;
  /** Largest packet as the route says, bytes; 0: it does not say. */
  readonly mtu: number;
}

/** A neighbour of an interface. */
export interface Neighbour {
  readonly ifindex: number;
  readonly address: Uint8Array;
  /** In hexadecimal with colons; empty: not known now. */
  readonly mac: string;
  /** Known once, and not confirmed lately: the kernel asks again when it is used. */
  readonly stale: boolean;
}

/** An address of an interface. */
export interface InterfaceAddress {
  readonly ifindex: number;
  readonly address: Uint8Array;
  readonly length: number;
}

/** One thing a datagram says. */
export type RouteNews =
  | { readonly type: 'newroute' | 'delroute'; readonly route: Route }
  | { readonly type: 'newneighbour' | 'delneighbour'; readonly neighbour: Neighbour }
  | { readonly type: 'newaddress' | 'deladdress'; readonly address: InterfaceAddress };

/** What one datagram says about routes, neighbours and addresses. */
export interface RouteMessages {
  readonly news: readonly RouteNews[];
  readonly done: boolean;
  readonly interrupted: boolean;
  /** Positive errno of the kernel's refusal, or 0; undefined: it says neither. */
  readonly error: number | undefined;
}

/** Reads the messages of one datagram; incomplete ones are skipped. */
export function readRouteMessages(bytes: Uint8Array): RouteMessages {
  const news: RouteNews[] = [];
  let done = false;
  let interrupted = false;
  let error: number | undefined;
  for (const message of messages(bytes)) {
    const { view, type, body, end } = message;
    if (message.isInterrupted) interrupted = true;
    if (message.isDone) done = true;
    error = errorOf(message) ?? error;
    const told = readNews(type, view, body, end);
    if (told) news.push(told);
  }
  return { news, done, interrupted, error };
}

function readNews(type: number, view: DataView, at: number, end: number): RouteNews | undefined {
  switch (type) {
    case TYPE.newRoute:
    case TYPE.delRoute: {
      const route = readRoute(view, at, end);
      return route && { type: type === TYPE.newRoute ? 'newroute' : 'delroute', route };
    }
    case NEIGHBOUR_TYPE.new:
    case NEIGHBOUR_TYPE.del: {
      const neighbour = readNeighbour(view, at, end);
      return neighbour && { type: type === NEIGHBOUR_TYPE.new ? 'newneighbour' : 'delneighbour', neighbour };
    }
    case TYPE.newAddress:
    case TYPE.delAddress: {
      const address = readAddress(view, at, end);
      return address && { type: type === TYPE.newAddress ? 'newaddress' : 'deladdress', address };
    }
    default:
      return undefined;
  }
}

const familyOf = (number: number): 4 | 6 | undefined =>
  number === FAMILY.inet ? 4 : number === FAMILY.inet6 ? 6 : undefined;
const word = (value: DataView): number => (value.byteLength >= 4 ? value.getUint32(0, LITTLE_ENDIAN) : 0);
/** A copy: the datagram's memory is used again. */
const copyOf = (value: DataView): Uint8Array => Uint8Array.from(bytesOf(value));

/** The rtmsg in [at, end). A route with several next hops is told with the first. */
function readRoute(view: DataView, at: number, end: number): Route | undefined {
  if (at + ROUTE_LEN > end) return undefined;
  const family = familyOf(view.getUint8(at));
  if (family === undefined) return undefined;
  const route = {
    family,
    table: view.getUint8(at + 4),
    destination: new Uint8Array(family === 4 ? 4 : 16) as Uint8Array,
    length: view.getUint8(at + 1),
    type: view.getUint8(at + 7),
    protocol: view.getUint8(at + 5),
    gateway: undefined as Uint8Array | undefined,
    oif: 0,
    mtu: 0,
  };
  for (const [type, value] of attributes(view, at + ROUTE_LEN, end)) {
    if (type === ROUTE.destination) route.destination = copyOf(value);
    if (type === ROUTE.table) route.table = word(value);
    if (type === ROUTE.metrics) route.mtu = mtuOf(value);
    if (type === ROUTE.multipath) Object.assign(route, firstNexthop(value));
    else Object.assign(route, nexthopOf(type, value));
  }
  return route;
}

function nexthopOf(type: number, value: DataView): { oif?: number; gateway?: Uint8Array } {
  if (type === ROUTE.oif) return { oif: word(value) };
  if (type === ROUTE.gateway) return { gateway: copyOf(value) };
  // struct rtvia: two bytes of family, then the address.
  if (type === ROUTE.via && value.byteLength > 2) return { gateway: copyOf(value).subarray(2) };
  return {};
}

/** struct rtnexthop: length, flags, weight, interface; then attributes. */
function firstNexthop(value: DataView): { oif?: number; gateway?: Uint8Array } {
  if (value.byteLength < NEXTHOP_LEN) return {};
  const end = Math.min(value.getUint16(0, LITTLE_ENDIAN), value.byteLength);
  const nexthop = { oif: value.getUint32(4, LITTLE_ENDIAN) };
  for (const [type, inner] of attributes(value, NEXTHOP_LEN, end)) Object.assign(nexthop, nexthopOf(type, inner));
  return nexthop;
}

function mtuOf(metrics: DataView): number {
  for (const [type, value] of attributes(metrics, 0, metrics.byteLength)) if (type === METRIC_MTU) return word(value);
  return 0;
}

/** The ndmsg in [at, end). */
function readNeighbour(view: DataView, at: number, end: number): Neighbour | undefined {
  if (at + NEIGHBOUR_LEN > end || familyOf(view.getUint8(at)) === undefined) return undefined;
  const state = view.getUint16(at + 8, LITTLE_ENDIAN);
  let address: Uint8Array | undefined;
  let mac = '';
  for (const [type, value] of attributes(view, at + NEIGHBOUR_LEN, end)) {
    if (type === NEIGHBOUR.destination) address = copyOf(value);
    if (type === NEIGHBOUR.linkAddress && (state & NUD_VALID) !== 0) mac = macOf(value);
  }
  const ifindex = view.getInt32(at + 4, LITTLE_ENDIAN);
  return address && { ifindex, address, mac, stale: state === NUD_STALE };
}

const macOf = (value: DataView): string =>
  bytesOf(value)
    .toString('hex')
    .replace(/..(?=.)/g, '$&:');

/** The ifaddrmsg in [at, end). */
function readAddress(view: DataView, at: number, end: number): InterfaceAddress | undefined {
  if (at + ADDRESS_LEN > end || familyOf(view.getUint8(at)) === undefined) return undefined;
  let address: Uint8Array | undefined;
  for (const [type, value] of attributes(view, at + ADDRESS_LEN, end)) {
    // Of a point-to-point interface the other attribute is the address of the far end.
    if (type === ADDRESS.local || (type === ADDRESS.address && !address)) address = copyOf(value);
  }
  return address && { ifindex: view.getUint32(at + 4, LITTLE_ENDIAN), address, length: view.getUint8(at + 1) };
}

const numberOf = (address: Uint8Array): number => (address.length === 4 ? FAMILY.inet : FAMILY.inet6);

/** The question for the route to an address, from an address of ours. */
export function routeRequest(destination: Uint8Array, source: Uint8Array): Uint8Array {
  const view = request(TYPE.getRoute, 0, ROUTE_LEN + attributesLen(destination.length, source.length));
  view.setUint8(HEADER_LEN, numberOf(destination));
  view.setUint8(HEADER_LEN + 1, destination.length * 8);
  view.setUint8(HEADER_LEN + 2, source.length * 8);
  const next = putAttribute(view, HEADER_LEN + ROUTE_LEN, ROUTE.destination, destination);
  putAttribute(view, next, ROUTE.source, source);
  return bytesOf(view);
}

/** The request for all routes, neighbours or addresses. */
export function dumpRequest(what: 'routes' | 'neighbours' | 'addresses'): Uint8Array {
  const types = { routes: TYPE.getRoute, neighbours: NEIGHBOUR_TYPE.get, addresses: TYPE.getAddress };
  return bytesOf(request(types[what], FLAG.dump, ROUTE_LEN));
}

/** The request to the kernel to use a neighbour, as if it had something to send: it asks for the MAC if it does not know it well. */
export function neighbourUseRequest(ifindex: number, address: Uint8Array): Uint8Array {
  const flags = FLAG.create | FLAG.replace | FLAG.ack;
  const view = request(NEIGHBOUR_TYPE.new, flags, NEIGHBOUR_LEN + attributesLen(address.length));
  view.setUint8(HEADER_LEN, numberOf(address));
  view.setInt32(HEADER_LEN + 4, ifindex, LITTLE_ENDIAN);
  view.setUint8(HEADER_LEN + 10, NTF_USE);
  putAttribute(view, HEADER_LEN + NEIGHBOUR_LEN, NEIGHBOUR.destination, address);
  return bytesOf(view);
}
