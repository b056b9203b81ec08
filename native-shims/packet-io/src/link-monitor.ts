import { DATAGRAM_MAX } from './link-query.js';
import { native, type Watch } from './native.js';
import { readLinkMessages, type Link } from './netlink.js';
import { readRouteMessages, type RouteNews } from './netlink-route.js';
import { closeFd, type SystemError } from './system.js';

/** A link came or changed, or went; `overrun`: events were lost, read all links again. */
export type LinkEvent = ({ readonly type: 'newlink' | 'dellink' } & Link) | { readonly type: 'overrun' };

/** A route, neighbour or address came, changed or went; `overrun`: events were lost, read everything again. */
export type RouteEvent = RouteNews | { readonly type: 'overrun' };

// RTMGRP_ bits of rtnetlink(7).
const LINK_GROUP = 0x1;
const NEIGHBOUR_GROUP = 0x4;
const ADDRESS_GROUPS = 0x10 | 0x100;
const ROUTE_GROUPS = 0x40 | 0x400;

/** What the kernel tells the groups of a netlink socket, datagram by datagram. Keeps the event loop alive until closed. */
class Monitor<Event> {
  readonly #fd: number;
  readonly #read: (datagram: Uint8Array) => readonly Event[];
  readonly #onEvent: (event: Event | { readonly type: 'overrun' }) => void;
  readonly #buffer = new Uint8Array(DATAGRAM_MAX);
  #watch: Watch | undefined;

  constructor(
    groups: number,
    read: (datagram: Uint8Array) => readonly Event[],
    onEvent: (event: Event | { readonly type: 'overrun' }) => void,
  ) {
    this.#read = read;
    this.#onEvent = onEvent;
    this.#fd = native.openNetlink(groups);
    this.#watch = native.watchReadable(this.#fd, () => {
      this.#drain();
    });
  }

  /** Ends the events. May be called from within one. */
  close(): void {
    if (!this.#watch) return;
    native.unwatch(this.#watch);
    this.#watch = undefined;
    closeFd(this.#fd);
  }

  #drain(): void {
    while (this.#watch) {
      const length = this.#receive();
      if (length === 0) return;
      const events = length < 0 ? [{ type: 'overrun' } as const] : this.#read(this.#buffer.subarray(0, length));
      this.#tell(events);
    }
  }

  #tell(events: readonly (Event | { readonly type: 'overrun' })[]): void {
    for (const event of events) if (this.#watch) this.#onEvent(event);
  }

  /** Bytes of the next datagram; 0: none is there; negative: some were lost. */
  #receive(): number {
    try {
      return native.receiveNetlink(this.#fd, this.#buffer, 0);
    } catch (error) {
      if (['ENOBUFS', 'EMSGSIZE'].includes((error as SystemError).code)) return -1;
      throw error;
    }
  }
}

/** Follows the links of the network namespace its thread is in. */
export class LinkMonitor extends Monitor<Exclude<LinkEvent, { type: 'overrun' }>> {
  /** Calls back once per event, in order, from now on: read what is there with `listLinks` after this. */
  constructor(onEvent: (event: LinkEvent) => void) {
    const read = (datagram: Uint8Array) =>
      readLinkMessages(datagram).changes.map(({ type, link }) => ({ type, ...link }));
    super(LINK_GROUP, read, onEvent);
  }
}

/** Follows the routes, neighbours and addresses of the network namespace its thread is in. */
export class RouteMonitor extends Monitor<RouteNews> {
  /** Calls back once per event, in order, from now on: read what is there with the queries after this. */
  constructor(onEvent: (event: RouteEvent) => void) {
    const groups = NEIGHBOUR_GROUP | ADDRESS_GROUPS | ROUTE_GROUPS;
    super(groups, (datagram) => readRouteMessages(datagram).news, onEvent);
  }
}
