/** Sockets frames are sent on through: UDP, and a raw one for what is carried by GRE. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { createRequire } from 'node:module';
import type * as rawSocket from 'raw-socket';

import { PROTOCOL as GRE } from '../wire/gre.js';
import type { EmitTarget } from './emit-target.js';

/** Sends datagrams to one address. */
export interface EmitPort {
  /** Takes over the buffer; `done` is called once, with what the system says when it is not sent. */
  send(datagram: Buffer, done: (error: Error | null | undefined) => void): void;
  close(): void;
}

/** Resolves once the host's name is resolved and the socket is there. Rejects with what the system says. */
export async function openEmitPort({ host, port }: EmitTarget): Promise<EmitPort> {
  const { address, family } = await lookup(host);
  return port === 0 ? greTo(address, family) : udpTo(address, family, port);
}

/** Room the kernel is asked for, bytes. */
const SEND_BUFFER = 4 * 1024 * 1024;

async function udpTo(address: string, family: number, port: number): Promise<EmitPort> {
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', sendBufferSize: SEND_BUFFER });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  // Errors of a datagram are told where it is sent.
  socket.on('error', () => undefined);
  return {
    send: (datagram, done) => {
      socket.send(datagram, port, address, done);
    },
    close: () => {
      socket.close();
    },
  };
}

/** Sockets in use: one that nobody holds is closed when it is collected, in the midst of its work. */
const held = new Set<rawSocket.Socket>();

function greTo(address: string, family: number): EmitPort {
  // Loaded where it is used only.
  const raw = createRequire(import.meta.url)('raw-socket') as typeof rawSocket;
  const addressFamily = family === 6 ? raw.AddressFamily.IPv6 : raw.AddressFamily.IPv4;
  const socket = raw.createSocket({ addressFamily, protocol: GRE });
  socket.on('error', () => undefined);
  held.add(socket);
  return {
    send: (datagram, done) => {
      socket.send(datagram, 0, datagram.length, address, null, done);
    },
    close: () => {
      held.delete(socket);
      socket.close();
    },
  };
}
