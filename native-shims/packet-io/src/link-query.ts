import { getSystemErrorName } from 'node:util';
import { native } from './native.js';
import { linkDumpRequest, linkStatisticsRequest, readLinkMessages, readSendDrops, type Link } from './netlink.js';
import { closeFd, type SystemError } from './system.js';

/** Longer than any datagram the kernel makes, bytes. */
export const DATAGRAM_MAX = 64 * 1024;
const ANSWER_TIMEOUT_MS = 5000;
const DUMP_ATTEMPTS = 10;
const buffer = new Uint8Array(DATAGRAM_MAX);

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
  const links: Link[] = [];
  let interrupted = false;
  native.sendNetlink(fd, linkDumpRequest());
  for (;;) {
    const messages = readLinkMessages(receive(fd));
    if (messages.error) throw refusal(messages.error, 'does not list its links');
    links.push(...messages.changes.map(({ link }) => link));
    interrupted ||= messages.interrupted;
    if (messages.done) return { links, interrupted };
  }
}

/**
 * How many frames a link dropped instead of sending them, since it was made: of a TAP, those its reader came too late for. The link is
 * one of the namespace of the rtnetlink socket. Synchronous, some microseconds. Throws ENODEV when it is gone.
 */
export function sendDrops(routeSocket: number, ifindex: number): number {
  native.sendNetlink(routeSocket, linkStatisticsRequest(ifindex));
  for (;;) {
    const { drops, error } = readSendDrops(receive(routeSocket));
    if (error) throw refusal(error, `does not tell the statistics of link ${ifindex}`);
    if (drops !== undefined) return drops;
  }
}

/** The next datagram, in memory that the next call uses again. */
export function receive(fd: number): Uint8Array {
  return buffer.subarray(0, native.receiveNetlink(fd, buffer, ANSWER_TIMEOUT_MS));
}

/** What the kernel refused, as an error. */
export function refusal(errno: number, what: string): SystemError {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: the kernel ${what}`), { code, errno: -errno, syscall: 'netlink' });
}
