import { DATAGRAM_MAX } from './link-query.js';
import { native, type Watch } from './native.js';
import { readLinkMessages, type Link } from './netlink.js';
import { closeFd, type SystemError } from './system.js';

/** A link came or changed, or went; `overrun`: events were lost, read all links again. */
export type LinkEvent = ({ readonly type: 'newlink' | 'dellink' } & Link) | { readonly type: 'overrun' };

const LINK_GROUP = 1; // RTMGRP_LINK

/** Follows the links of the network namespace its thread is in. Keeps the event loop alive until closed. */
export class LinkMonitor {
  readonly #fd: number;
  readonly #onEvent: (event: LinkEvent) => void;
  readonly #buffer = new Uint8Array(DATAGRAM_MAX);
  #watch: Watch | undefined;

  /** Calls back once per event, in order, from now on: read what is there with `listLinks` after this. */
  constructor(onEvent: (event: LinkEvent) => void) {
    this.#onEvent = onEvent;
    this.#fd = native.openNetlink(LINK_GROUP);
    this.#watch = native.watchReadable(this.#fd, () => {
      this.#read();
    });
  }

  /** Ends the events. May be called from within one. */
  close(): void {
    if (!this.#watch) return;
    native.unwatch(this.#watch);
    this.#watch = undefined;
    closeFd(this.#fd);
  }

  #read(): void {
    while (this.#watch) {
      const length = this.#receive();
      if (length === 0) return;
      if (length < 0) this.#onEvent({ type: 'overrun' });
      else this.#tell(this.#buffer.subarray(0, length));
    }
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

  #tell(datagram: Uint8Array): void {
    for (const { type, link } of readLinkMessages(datagram).changes) {
      if (this.#watch) this.#onEvent({ type, ...link });
    }
  }
}
