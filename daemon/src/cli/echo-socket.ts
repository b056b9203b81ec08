/** Echoes through a raw socket of the system; needs the right to open one (root, or CAP_NET_RAW). */
import { randomInt } from 'node:crypto';

import { type Echoes, EchoQueue, echoRequest, readEcho } from './echoes.js';
import { Exit, STATUS } from './exit.js';

/** Sockets in use: one that nobody holds is closed when it is collected, in the midst of its work. */
const held = new Set<object>();

/** Opens a socket of a family. Throws Exit when that is not allowed. */
export async function openEchoes(family: 4 | 6): Promise<Echoes> {
  // Loaded by those who send echoes only.
  const raw = await import('raw-socket').then((module) =>
    'default' in module ? (module.default as typeof module) : module,
  );
  const { AddressFamily, Protocol, SocketLevel, SocketOption } = raw;
  const ident = randomInt(0x10000);
  const queue = new EchoQueue();
  const options =
    family === 4
      ? { addressFamily: AddressFamily.IPv4, protocol: Protocol.ICMP }
      : { addressFamily: AddressFamily.IPv6, protocol: Protocol.ICMPv6 };
  const socket = (() => {
    try {
      return raw.createSocket(options);
    } catch (error) {
      throw new Exit(STATUS.refused, `cannot send echoes (${(error as Error).message}); run as root`);
    }
  })();
  held.add(socket);
  socket.on('message', (message: Buffer, from: string) => {
    const event = readEcho(family, ident, message, from);
    // The buffer is used again for the next message; the event holds nothing of it.
    if (event) queue.put(event);
  });
  // What cannot be received is no answer, and missing answers are told.
  socket.on('error', () => undefined);
  const setHops = (hops: number): void => {
    if (family === 4) socket.setOption(SocketLevel.IPPROTO_IP, SocketOption.IP_TTL, hops);
    else socket.setOption(SocketLevel.IPPROTO_IPV6, SocketOption.IPV6_UNICAST_HOPS, hops);
  };
  return {
    send: (to, sequence, hops) =>
      new Promise((resolve, reject) => {
        const packet = Buffer.from(echoRequest(family, ident, sequence));
        const before =
          hops === null
            ? null
            : () => {
                setHops(hops);
              };
        socket.send(packet, 0, packet.length, to, before, (error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
    next: (timeoutMs, stop) => queue.next(timeoutMs, stop),
    close: () => {
      held.delete(socket);
      socket.close();
    },
  };
}
