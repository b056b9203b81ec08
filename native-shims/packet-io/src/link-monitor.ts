import { getSystemErrorName } from 'node:util';
import { native, type Watch } from './native.js';
import { linkDumpRequest, readLinkMessages, type Link } from './netlink.js';
import { closeFd, type SystemError } from './system.js';

/** A link came or changed, or went; `overrun`: events were lost, read all links again. */
export type LinkEvent = ({ readonly type: 'newlink' | 'dellink' } & Link) | { readonly type: 'overrun' };

const LINK_GROUP = 1; // RTMGRP_LINK
/** Longer than any datagram the kernel makes. */
const BUFFER_BYTES = 64 * 1024;
const DUMP_TIMEOUT_MS = 5000;
const DUMP_ATTEMPTS = 10;

/** Follows the links of the network namespace its thread is in. Keeps the event loop alive until closed. */
export class LinkMonitor {
  readonly #fd: number;
  readonly #onEvent: (event: LinkEvent) => void;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
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

/**
 * All links of the network namespace of an rtnetlink socket, without one of that this thread is in. Synchronous: a few milliseconds
 * per thousand links. Throws what the kernel refuses, ETIMEDOUT when it does not answer.
 */
export function listLinks(routeSocket?: number): Link[] {
  const fd = routeSocket ?? native.openNetlink(0);
  try {
    for (let attempt = 1; ; attempt++) {
      const { links, interrupted } = dump(fd);
      if (!interrupted || attempt === DUMP_ATTEMPTS) return links;
    }
  } finally {
    if (fd !== routeSocket) closeFd(fd);
  }
}

function dump(fd: number): { links: Link[]; interrupted: boolean } {
  const buffer = new Uint8Array(BUFFER_BYTES);
  const links: Link[] = [];
  let interrupted = false;
  native.sendNetlink(fd, linkDumpRequest());
  for (;;) {
    const length = native.receiveNetlink(fd, buffer, DUMP_TIMEOUT_MS);
    const messages = readLinkMessages(buffer.subarray(0, length));
    if (messages.error) throw refusal(messages.error);
    links.push(...messages.changes.map(({ link }) => link));
    interrupted ||= messages.interrupted;
    if (messages.done) return { links, interrupted };
  }
}

function refusal(errno: number): SystemError {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: the kernel does not list its links`), {
    code,
    errno: -errno,
    syscall: 'netlink',
  });
}
