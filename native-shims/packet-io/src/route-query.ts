import { receive, refusal } from './link-query.js';
import { native } from './native.js';
import {
  MAIN_TABLE,
  dumpRequest,
  neighbourUseRequest,
  readRouteMessages,
  routeRequest,
  type InterfaceAddress,
  type Neighbour,
  type Route,
  type RouteNews,
} from './netlink-route.js';

const DUMP_ATTEMPTS = 10;
// Of linux/errno.h: what has no route is no error of ours.
const NO_ROUTE = new Set([101, 113, 22, 99]); // ENETUNREACH, EHOSTUNREACH, EINVAL (the source is not ours), EADDRNOTAVAIL

/**
 * A socket to ask the kernel about routes, neighbours and addresses of this thread's network namespace. Every question is
 * synchronous, some microseconds. The descriptor belongs to the caller, who opens it with `openRouteQuery` and closes it.
 */
export function openRouteQuery(): number {
  return native.openNetlink(0);
}

/** The route packets from `source` (an address of ours) to an address take; undefined: there is none. Both are 4 or 16 bytes. */
export function routeTo(socket: number, destination: Uint8Array, source: Uint8Array): Route | undefined {
  native.sendNetlink(socket, routeRequest(destination, source));
  for (;;) {
    const { news, error } = readRouteMessages(receive(socket));
    for (const told of news) if (told.type === 'newroute') return told.route;
    if (error !== undefined && NO_ROUTE.has(error)) return undefined;
    if (error !== undefined) throw refusal(error, 'does not tell a route');
  }
}

/** Makes the kernel ask for the MAC of a neighbour if it does not know it well; what it learns comes as an event. Throws ENODEV. */
export function useNeighbour(socket: number, ifindex: number, address: Uint8Array): void {
  native.sendNetlink(socket, neighbourUseRequest(ifindex, address));
  for (;;) {
    const { error } = readRouteMessages(receive(socket));
    if (error === undefined) continue;
    if (error !== 0) throw refusal(error, `does not ask for a neighbour on link ${ifindex}`);
    return;
  }
}

/** All neighbours the kernel knows. */
export function listNeighbours(socket: number): Neighbour[] {
  return dump(socket, 'neighbours').flatMap((told) => (told.type === 'newneighbour' ? [told.neighbour] : []));
}

/** All routes of the main table, both families. */
export function listRoutes(socket: number): Route[] {
  return dump(socket, 'routes').flatMap((told) =>
    told.type === 'newroute' && told.route.table === MAIN_TABLE ? [told.route] : [],
  );
}

/** All addresses of interfaces. */
export function listAddresses(socket: number): InterfaceAddress[] {
  return dump(socket, 'addresses').flatMap((told) => (told.type === 'newaddress' ? [told.address] : []));
}

function dump(socket: number, what: 'routes' | 'neighbours' | 'addresses'): RouteNews[] {
  for (let attempt = 1; ; attempt++) {
    const told: RouteNews[] = [];
    let again = false;
    native.sendNetlink(socket, dumpRequest(what));
    for (;;) {
      const { news, done, interrupted, error } = readRouteMessages(receive(socket));
      if (error) throw refusal(error, `does not list its ${what}`);
      told.push(...news);
      again ||= interrupted;
      if (done) break;
    }
    if (!again || attempt === DUMP_ATTEMPTS) return told;
  }
}
